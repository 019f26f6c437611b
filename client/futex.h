/* SPDX-License-Identifier: MIT */
/* <linux/futex.h>, which not every C library has. */
#ifndef CLIENT_FUTEX_H
#define CLIENT_FUTEX_H

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_WAIT_PRIVATE (FUTEX_WAIT | 128)
#define FUTEX_WAKE_PRIVATE (FUTEX_WAKE | 128)

#endif
