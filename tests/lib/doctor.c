/* SPDX-License-Identifier: MIT */
#include "tests/lib/doctor.h"

#include <string.h>

static const char *of(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));
	return text != NULL ? text : "";
}

bool doctor_says(const struct fixture *fixture, const char *what,
                 const char *urgency)
{
	json_t *doc = fixture_get(fixture, "/doctor");
	bool says = false;
	json_t *finding;
	size_t i;
	json_array_foreach(json_object_get(doc, "findings"), i, finding)
	{
		tap_note("%s: %s", of(finding, "urgency"), of(finding, "what"));
		says |= strstr(of(finding, "what"), what) != NULL &&
		        strcmp(of(finding, "urgency"), urgency) == 0;
	}
	json_decref(doc);
	return says;
}
