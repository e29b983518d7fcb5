/* An agent that is needed and does not run: what it fetches grows old. */
#include <unistd.h>

#include "policy/cli/credential.h"
#include "policy/cli/ledger_look.h"
#include "policy/identity/issuers.h"
#include "policy/ledger/reservation.h"
#include "policy/store/image_format.h"

static bool
fetches_keys(const gh_image_t *image)
{
    gh_issuers_t *issuers = gh_issuers_new();
    gh_error_t    error = { 0 };
    bool          fetches = false;

    for (uint32_t i = 0; issuers != NULL && i < image->count[GH_SECTION_IDENTITY]; i++) {
        if (gh_issuers_add(issuers, gh_image_str(image, image->identities[i]), &error) != GH_OK) {
            break;
        }
    }
    for (size_t i = 0; issuers != NULL && i < issuers->count; i++) {
        fetches = fetches || issuers->items[i].keys_at != GH_KEYS_HERE;
    }
    gh_issuers_free(issuers);
    return fetches;
}

bool
gh_cli_agent_missing(const gh_cli_t *cli, const gh_image_t *image, const gh_ledger_t *ledger, uint64_t now_ms, uint64_t *since_ms)
{
    *since_ms = gh_ledger_agent_gone_ms(ledger);
    if (gh_ledger_agent_lives(ledger, now_ms)) {
        return false;
    }
    return *since_ms != 0 || access(gh_cli_credential_file(cli), F_OK) == 0 || fetches_keys(image);
}
