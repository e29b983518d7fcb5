/*
 * Signatures that were verified in vain, by the address that sent them. To refuse a token costs 50 to 150 us when its signature has to be looked at, and to make one up costs
 * nothing: so an address has GH_ATTEMPTS_BURST of them, and gets one back each GH_ATTEMPTS_BACK_MS. One address may be that of many clients: as long as all of them together have not
 * used up GH_ATTEMPTS_ALL_BURST, of which one comes back each GH_ATTEMPTS_ALL_BACK_MS, there is nothing to protect, and no address is held back. What was accepted lately (as far as a
 * table of a fixed size remembers) is never held back.
 *
 * What has to be received and hashed before it can be refused counts by its length, too: one attempt more for each GH_ATTEMPTS_BYTES, which take about as long. So more can be owed than there
 * was: GH_ATTEMPTS_DEBT at most.
 */
#ifndef GH_ATTEMPTS_H
#define GH_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/hash.h"
#include "policy/base/str.h"

#define GH_ATTEMPTS_BURST       20u
#define GH_ATTEMPTS_BACK_MS     1000u
#define GH_ATTEMPTS_ALL_BURST   200u
#define GH_ATTEMPTS_ALL_BACK_MS 10u
#define GH_ATTEMPTS_BYTES       65536u
#define GH_ATTEMPTS_DEBT        1024u

typedef struct gh_attempts_s gh_attempts_t;

/* hmac: borrowed; what nobody outside knows, so that nobody chooses which addresses share a place. NULL: no memory. */
gh_attempts_t *gh_attempts_new(gh_hmac_t *hmac);
void           gh_attempts_free(gh_attempts_t *attempts);

/*
 * May the signature of this token, by the digest of all of it, be looked at for this address (4 bytes of IPv4; 16 of IPv6, of which the first 64 bits count; empty: whoever asks
 * is not told apart, and may)? false: not before *wait_ms milliseconds have passed, if nobody else's are refused in between.
 */
bool gh_attempts_may(const gh_attempts_t *attempts, gh_bytes_t address, const uint8_t digest[32], uint64_t now_ms, uint64_t *wait_ms);

/*
 * It was looked at, and `bytes` bytes had to be received for that: the token was accepted, or it was not. digest NULL: its end did not come, and it was neither; what came counts all the same.
 * Of an empty address it counts for all of them together.
 */
void gh_attempts_accepted(gh_attempts_t *attempts, const uint8_t digest[32]);
void gh_attempts_refused(gh_attempts_t *attempts, gh_bytes_t address, const uint8_t *digest, uint64_t bytes, uint64_t now_ms);

#endif
