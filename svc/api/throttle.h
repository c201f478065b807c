/*
 * api/throttle.h - so many attempts, then a wait: for guesses at passwords
 *
 * Counts per key (a person, an address), in memory, in a table of bounded size. An attempt is counted
 * before it is evaluated and given back when it turned out to be no failure. Once limit have failed
 * with less than window_s between one and the next, the key waits until window_s after the last. When
 * the table is full, the key with the fewest attempts makes room: flooding it with new keys frees
 * nobody who waits.
 */
#ifndef API_THROTTLE_H
#define API_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct throttle;

struct throttle *throttle_new(unsigned limit, int64_t window_s, size_t keys_max);
void throttle_free(struct throttle *t);

/* Counts an attempt. false: the key has to wait out_wait_s first, and nothing was counted. */
bool throttle_take(struct throttle *t, const char *key, int64_t now_s, int64_t *out_wait_s);

#define THROTTLE_ADDRESS_BYTES 64

/* A network address as it is counted: an IPv6 host has its whole /64. */
void throttle_address_format(const char *address, char out_key[THROTTLE_ADDRESS_BYTES]);

/* The attempt was no failure. */
void throttle_give_back(struct throttle *t, const char *key);

#endif
