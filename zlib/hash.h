/* Included before deflate.c in the place of contrib/optimizations/insert_string.h.
 *
 * Node's zlib is newer than this one, and finds earlier occurrences of a string by another hash of its first four
 * bytes. Which of them it finds shows in what comes out, so the hash must be the same. All else is.
 */
#ifndef INSERT_STRING_H
#define INSERT_STRING_H

#include <string.h>

#include "deflate.h"

/* Has deflate.c use the larger hash table. */
#define TARGET_CPU_WITH_CRC

/* Of the rolling hash that zlib had before; nothing is kept from one string to the next. */
#define UPDATE_HASH(state, hash, byte) ((void)0)

/* Notes that a string begins at `position`; returns where one with the same hash began before. */
static inline IPos insert_string(deflate_state *state, uInt position)
{
    unsigned start;
    memcpy(&start, state->window + position, sizeof start);
    Posf *last = &state->head[((start * 66521u + 66521u) >> 16) & state->hash_mask];
    Pos previous = *last;
    state->prev[position & state->w_mask] = previous;
    *last = (Pos)position;
    return previous;
}

#endif
