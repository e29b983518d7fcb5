/* Any bytes as a handle: none opens, but one that was written here does, and only for whom it was written. */
#include <stdlib.h>
#include <string.h>

#include "policy/identity/handle.h"
#include "tests/fuzz/standalone.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gh_handles_t *handles;
    static const uint8_t secret[32] = "32 bytes that are no secret here";
    char                 text[GH_HANDLE_MAX], buffer[GH_HANDLE_MAX];
    gh_str_t             all = { (const char *) data, size };
    gh_handle_t          handle, read;
    gh_error_t           error;
    size_t               len, third = size / 3;

    if (handles == NULL && (handles = gh_handles_new(secret)) == NULL) {
        abort();
    }

    if (gh_handle_read(handles, all, GH_HANDLE_RESPONSE, 0, buffer, &read, &error) == GH_OK || read.id.data != NULL) {
        abort();
    }

    handle = (gh_handle_t) { (gh_handle_kind_t) (size % GH_HANDLE_KINDS), size, { all.data, third }, { all.data + third, third },
        { all.data + 2 * third, size - 2 * third }, { all.data, third % (GH_HANDLE_SESSION_MAX + 2) } };
    len = gh_handle_write(handles, &handle, text, sizeof(text));
    if (len == 0) {
        return 0;
    }

    if (gh_handle_read(handles, (gh_str_t) { text, len }, handle.kind, size, buffer, &read, &error) != GH_OK
        || !gh_str_eq(read.id, handle.id) || !gh_str_eq(read.deployment, handle.deployment) || !gh_str_eq(read.model, handle.model) || !gh_str_eq(read.session, handle.session)
        || gh_handle_read(handles, (gh_str_t) { text, len }, handle.kind, size + 1, buffer, &read, &error) == GH_OK)
    {
        abort();
    }

    text[data[0] % len] ^= 1 + data[1] % 255;
    if (gh_handle_read(handles, (gh_str_t) { text, len }, handle.kind, size, buffer, &read, &error) == GH_OK) {
        abort();
    }

    return 0;
}
