/* SPDX-License-Identifier: MIT */
#include "shm/heir.h"

#include "shm/slab.h"

/* ---- the giver ------------------------------------------------------------ */

void heir_name_own(const struct view *view, uint32_t own, uint64_t heir,
                   uint64_t lead)
{
	atom_store(view_gifts_at(view, own, GIFTS_LEAD), lead);
	/* pairs: heir_find; all is offered by then. */
	atom_store_release(view_gifts_at(view, own, GIFTS_HEIR), heir);
}

void heir_forget_own(const struct view *view, uint32_t own)
{
	/* pairs: heir_find; all was handed before. */
	atom_store_release(view_gifts_at(view, own, GIFTS_HEIR), UINT64_C(0));
}

bool heir_offer_own(uint16_t *tag, uint16_t *gen, uint16_t own)
{
	uint16_t now = atom_load(gen);
	if (!tags_has_own(tag, gen, own))
		return false;
	/* As long as it is plain, nobody takes it. */
	if (atom_load(tag) != own)
		atom_store(tag, own);
	/* pairs: tags_take_own; it is plain before it waits, and nobody is
	 * named by an earlier word. */
	atom_store_release(gen, (uint16_t)(now | GEN_WAITING));
	return true;
}

void heir_withdraw_own(uint16_t *tag, uint16_t *gen, uint16_t own)
{
	if (TAG_OWNER(atom_load(tag)) == own)
		atom_store(gen, (uint16_t)(atom_load(gen) & ~GEN_WAITING));
}

/* As long as it is plain, no thread of own's was about to take it. */
bool heir_hand_own(uint16_t *tag, uint16_t own, uint16_t heir)
{
	/* pairs: tags_take_own; the heir sees what the giver wrote. */
	return atom_cas(tag, &own, (uint16_t)(heir | TAG_KNOWN));
}

bool heir_hand_known_own(uint16_t *tag, const uint16_t *gen, uint16_t own,
                         uint16_t heir)
{
	if (TAG_OWNER(atom_load(tag)) != own ||
	    (atom_load(gen) & GEN_WAITING) == 0)
		return false;
	/* pairs: tags_take_own; the heir sees what the giver wrote. */
	atom_store_release(tag, (uint16_t)(heir | TAG_KNOWN));
	return true;
}

/* ---- who takes ------------------------------------------------------------ */

bool heir_is_part(const uint16_t *tag, const uint16_t *gen, uint16_t channel,
                  uint32_t object)
{
	uint16_t now = atom_load(gen);
	return atom_load(tag) == (channel | TAG_KNOWN) &&
	       (now & GEN_WAITING) != 0 && GEN_OBJECT(now) == object;
}

bool heir_take_own(uint16_t *tag, uint16_t channel, uint16_t own)
{
	uint16_t seen = channel | TAG_KNOWN;
	/* pairs: heir_hand_own; what the sender wrote is there. */
	return atom_publish(tag, &seen, own);
}

/* ---- slabd ---------------------------------------------------------------- */

uint64_t heir_channel_word(const struct view *view, uint32_t id)
{
	uint64_t word;
	if (id - 1 >= CLIENT_ID_MAX)
		return 0;
	/* pairs: clients_set */
	word = atom_load_acquire(&view->clients[id].word);
	return (word & 0xff) == CLIENT_CHANNEL ? word : 0;
}

/* Who takes has nothing to hand back once the part that leads is its own. */
static bool is_taken(const struct view *view, const struct heir *heir)
{
	const uint16_t *tag = slab_tag_of(view, heir->lead);
	return tag == NULL || TAG_OWNER(atom_load(tag)) != heir->to;
}

bool heir_find(const struct view *view, uint32_t id, struct heir *heir)
{
	/* pairs: heir_name_own */
	uint64_t named = atom_load_acquire(view_gifts_at(view, id, GIFTS_HEIR));
	uint64_t word = heir_channel_word(view, HEIR_ID(named));
	bool takes = word != 0 && (named & HEIR_TAKES) != 0;
	heir->from = id;
	heir->to = HEIR_ID(named);
	heir->lead = atom_load(view_gifts_at(view, id, GIFTS_LEAD));
	heir->channel = word != 0;
	if (!heir->channel)
		word = heir_word(view, heir->to);
	named &= takes ? ~HEIR_TAKES : ~UINT64_C(0);
	return word != 0 && named == heir_make(heir->to, word) &&
	       heir->to != id && !(takes && is_taken(view, heir));
}

/* The heir has the place among those it has touched before it has the object. */
static uint32_t settle_one(const struct view *view, const struct heir *heir,
                           uint32_t head, uint16_t *tag)
{
	uint16_t seen = (uint16_t)heir->from;
	if (atom_load(tag) != seen ||
	    (atom_load(slab_gen_of(view, tag)) & GEN_WAITING) == 0)
		return 0;
	view_touch_any(view, heir->to, head);
	/* pairs: tags_take_own; or tags_know_any, and the sweep frees it. */
	return atom_cas(tag, &seen, (uint16_t)(heir->to | TAG_KNOWN));
}

static uint32_t settle_slab(const struct view *view, const struct heir *heir,
                            uint32_t head, const struct layout_cache *row)
{
	uint16_t *tags = slab_tags(view, head);
	uint16_t *lead = slab_tag_of(view, heir->lead);
	uint32_t n = 0;
	for (uint32_t i = 0; i < row->n_objs; i++)
		if (&tags[i] != lead)
			n += settle_one(view, heir, head, &tags[i]);
	return n;
}

/* The cache of the slab that begins at a unit, if it may have parts; or NULL. */
static const struct layout_cache *row_of(const struct view *view, uint32_t unit)
{
	uint64_t word = atom_load(&view->words[unit]);
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	if (row == NULL || WORD_BACK(word) != 0 || !heir_has_parts(row))
		return NULL;
	return row;
}

uint32_t heir_settle_srv(const struct view *view, const struct heir *heir,
                         uint32_t first, uint32_t end)
{
	uint32_t n = 0;
	for (uint32_t unit = first; unit < end; unit++) {
		const struct layout_cache *row = row_of(view, unit);
		if (row != NULL)
			n += settle_slab(view, heir, unit, row);
	}
	return n;
}

/* A channel's own, as if it had been sent by itself. */
static uint32_t settle_entry(const struct view *view, const struct heir *heir,
                             uint32_t head, uint16_t *tag)
{
	uint16_t seen = atom_load(tag);
	if (!tags_has_own(tag, slab_gen_of(view, tag), (uint16_t)heir->from))
		return 0;
	view_touch_any(view, heir->to, head);
	/* pairs: tags_pass_own, of who receives it. */
	return atom_cas(tag, &seen, (uint16_t)(heir->to | (seen & TAG_KNOWN)));
}

uint32_t heir_settle_lead_srv(const struct view *view, const struct heir *heir)
{
	uint16_t *tag = slab_tag_of(view, heir->lead);
	uint32_t head;
	if (tag == NULL)
		return 0;
	head = slab_head_of(view, heir->lead);
	if (row_of(view, head) == NULL)
		return 0;
	return heir->channel ? settle_entry(view, heir, head, tag)
	                     : settle_one(view, heir, head, tag);
}
