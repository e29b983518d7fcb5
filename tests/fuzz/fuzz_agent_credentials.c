/* What the agent reads that is no JSON: STS's XML and the files of AWS's tools. Then what files of the workers may hold. */
#include <string.h>

#include "ngx_module/wire/credential.h"
#include "policy/agent/aws_files.h"
#include "policy/agent/sts_answer.h"
#include "tests/fuzz/standalone.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t            text = { (const char *) data + 1, size - 1 };
    gh_heap_t           heap;
    gh_error_t          error = { 0 };
    gh_aws_settings_t   settings = { NULL, 0 };
    gh_aws_credential_t aws;
    gh_credential_t     credential, again;

    if (size == 0) {
        return 0;
    }
    gh_heap_init(&heap);
    switch (data[0] % 4) {
    case 0:
        if (gh_sts_credentials_read(&heap.arena, text, &aws, &error) == GH_OK && (aws.access_key_id.len == 0 || aws.expires_ms == 0)) {
            __builtin_trap();
        }
        (void) gh_sts_error_code(&heap.arena, text);
        break;
    case 1:
    case 2:
        if (gh_aws_file_read(&heap.arena, text, "file", data[0] % 4 == 1, &settings, &error) == GH_OK) {
            for (size_t i = 0; i < settings.count; i++) {
                if (memchr(settings.items[i].name.data, '\n', settings.items[i].name.len) != NULL || !gh_aws_profile_there(&settings, settings.items[i].profile)) {
                    __builtin_trap();
                }
            }
        }
        break;
    default:
        /* what is read can be written, and is the same then */
        if (gh_credential_read(&heap.arena, text, &credential, &error) == GH_OK && credential.expires_ms % 1000 == 0
            && gh_credential_write(&heap.arena, &credential, &text, &error) == GH_OK
            && (gh_credential_read(&heap.arena, text, &again, &error) != GH_OK || again.form != credential.form || !gh_str_eq(again.secret, credential.secret)
                || again.expires_ms != credential.expires_ms))
        {
            __builtin_trap();
        }
    }
    gh_heap_free(&heap);
    return 0;
}
