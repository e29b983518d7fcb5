#include "policy/cli/ledger_look.h"

#include "policy/cli/ledger.h"

gh_ledger_t *
gh_cli_ledger_look(const gh_cli_t *cli, gh_store_t *store)
{
    gh_error_t   error = { 0 };
    gh_ledger_t *ledger = gh_cli_ledger_open(cli, false);

    if (ledger == NULL || store == NULL || gh_ledger_check(ledger, gh_store_id(store), gh_store_ledger_id(store), &error) == GH_OK) {
        return ledger;
    }
    gh_ledger_close(ledger);
    gh_cli_fail_error(cli, &error);
    gh_cli_advise("gatehouse init%s   makes the right one; --ledger FILE names another", gh_cli_init_words(cli));
    return NULL;
}

const char *
gh_cli_credential_text(uint8_t credential)
{
    static const char *const texts[] = { "is there", "has expired", "is not there", "is refused by the backend" };

    return texts[credential < sizeof(texts) / sizeof(texts[0]) ? credential : GH_CREDENTIAL_IS_READY];
}
