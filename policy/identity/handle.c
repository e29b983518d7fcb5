#include "policy/identity/handle.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/base64.h"
#include "policy/base/hash.h"

#define KEY_NUMBER  1u
#define TAG         16u
#define HEAD        (1u + TAG)                    /* key, tag */
#define PREFIX_MAX  12u
#define BLOCK       32u
#define SEALED_MIN  (1u + 8u + 1u + 2u)
#define SEALED_MAX  (SEALED_MIN + 1u + GH_HANDLE_SESSION_MAX + GH_HANDLE_DEPLOYMENT_MAX + GH_HANDLE_MODEL_MAX + GH_HANDLE_ID_MAX)
#define KIND_BITS   0x1fu                         /* of the form */
#define SESSION_BIT 0x80u

_Static_assert(PREFIX_MAX + ((HEAD + SEALED_MAX) * 4 + 2) / 3 <= GH_HANDLE_MAX, "every handle has its room");
_Static_assert(GH_HANDLE_KINDS <= KIND_BITS + 1, "a kind is in the form's lower bits");

struct gh_handles_s {
    gh_hmac_t *mac, *seal;
};

const char *const gh_handle_kind_names[GH_HANDLE_KINDS] = {
    [GH_HANDLE_RESPONSE] = "response",
    [GH_HANDLE_CONVERSATION] = "conversation",
    [GH_HANDLE_FILE] = "file",
    [GH_HANDLE_ITEM] = "item",
    [GH_HANDLE_CONTAINER] = "container",
    [GH_HANDLE_AUDIO] = "audio answer",
    [GH_HANDLE_MESSAGE] = "message",
};

static const char *const kind_prefixes[GH_HANDLE_KINDS] = {
    [GH_HANDLE_RESPONSE] = "resp_",
    [GH_HANDLE_CONVERSATION] = "conv_",
    [GH_HANDLE_FILE] = "file-",
    [GH_HANDLE_ITEM] = "item_",
    [GH_HANDLE_CONTAINER] = "cntr_",
    [GH_HANDLE_AUDIO] = "audio_",
    [GH_HANDLE_MESSAGE] = "msg_",
};

static gh_hmac_t *
subkeyed(const uint8_t secret[32], const char *label)
{
    uint8_t    subkey[32];
    gh_hmac_t *hmac = gh_hkdf(secret, 32, label, subkey, sizeof(subkey)) == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;

    explicit_bzero(subkey, sizeof(subkey));
    return hmac;
}

gh_handles_t *
gh_handles_new(const uint8_t secret[32])
{
    gh_handles_t *handles = calloc(1, sizeof(*handles));

    if (handles == NULL) {
        return NULL;
    }
    handles->mac = subkeyed(secret, "handle-mac");
    handles->seal = subkeyed(secret, "handle-seal");
    if (handles->mac == NULL || handles->seal == NULL) {
        gh_handles_free(handles);
        return NULL;
    }
    return handles;
}

void
gh_handles_free(gh_handles_t *handles)
{
    if (handles != NULL) {
        gh_hmac_free(handles->mac);
        gh_hmac_free(handles->seal);
        free(handles);
    }
}

/* Lower-case letters and digits up to and with the first "_" or "-": SDKs tell kinds by it. */
static gh_str_t
prefix_of(gh_handle_kind_t kind, gh_str_t id)
{
    for (size_t i = 0; i < id.len && i < PREFIX_MAX; i++) {
        char c = id.data[i];

        if (i > 0 && (c == '_' || c == '-')) {
            return (gh_str_t) { id.data, i + 1 };
        }
        if (!((c >= 'a' && c <= 'z') || (i > 0 && c >= '0' && c <= '9'))) {
            break;
        }
    }
    return gh_str_from(kind_prefixes[kind]);
}

static int
tag_of(gh_handles_t *handles, const uint8_t *plain, size_t len, uint8_t tag[32])
{
    uint8_t    key = KEY_NUMBER;
    gh_bytes_t parts[] = { { &key, 1 }, { plain, len } };

    return gh_hmac(handles->mac, parts, 2, tag);
}

/* Encrypts and decrypts. */
static int
apply_seal(gh_handles_t *handles, const uint8_t tag[TAG], uint8_t *bytes, size_t len)
{
    uint8_t block[BLOCK], number[4] = { 0 };

    for (size_t at = 0; at < len; at += BLOCK) {
        gh_bytes_t parts[] = { { tag, TAG }, { number, sizeof(number) } };

        if (gh_hmac(handles->seal, parts, 2, block) != GH_OK) {
            return GH_ERROR;
        }
        for (size_t i = 0; i < BLOCK && at + i < len; i++) {
            bytes[at + i] ^= block[i];
        }
        number[0]++;               /* SEALED_MAX is far below 256 blocks */
    }
    return GH_OK;
}

static size_t
put(uint8_t *bytes, size_t at, gh_str_t s)
{
    memcpy(bytes + at, s.data, s.len);
    return at + s.len;
}

size_t
gh_handle_write(gh_handles_t *handles, const gh_handle_t *handle, char *text, size_t size)
{
    uint8_t  bytes[HEAD + SEALED_MAX], tag[32], *plain = bytes + HEAD;
    gh_str_t prefix;
    size_t   len = 0;

    if ((unsigned) handle->kind >= GH_HANDLE_KINDS || handle->deployment.len == 0 || handle->deployment.len > GH_HANDLE_DEPLOYMENT_MAX
        || handle->model.len == 0 || handle->model.len > GH_HANDLE_MODEL_MAX || handle->id.len == 0 || handle->id.len > GH_HANDLE_ID_MAX
        || handle->session.len > GH_HANDLE_SESSION_MAX)
    {
        return 0;
    }
    plain[len++] = (uint8_t) (handle->kind | (handle->session.len != 0 ? SESSION_BIT : 0));
    for (unsigned i = 0; i < 8; i++) {
        plain[len++] = (uint8_t) (handle->tenant_uid >> 8 * i);
    }
    if (handle->session.len != 0) {
        plain[len++] = (uint8_t) handle->session.len;
        len = put(plain, len, handle->session);
    }
    plain[len++] = (uint8_t) handle->deployment.len;
    len = put(plain, len, handle->deployment);
    plain[len++] = (uint8_t) handle->model.len;
    plain[len++] = (uint8_t) (handle->model.len >> 8);
    len = put(plain, len, handle->model);
    len = put(plain, len, handle->id);

    prefix = prefix_of(handle->kind, handle->id);
    if (prefix.len + ((HEAD + len) * 4 + 2) / 3 > size || tag_of(handles, plain, len, tag) != GH_OK) {
        return 0;
    }
    bytes[0] = KEY_NUMBER;
    memcpy(bytes + 1, tag, TAG);
    if (apply_seal(handles, tag, plain, len) != GH_OK) {
        return 0;
    }
    memcpy(text, prefix.data, prefix.len);
    return prefix.len + gh_base64url(bytes, HEAD + len, text + prefix.len);
}

/* A name of `len` bytes; false: it does not lie inside. */
static bool
take(const char *plain, size_t len, size_t *at, size_t name, gh_str_t *out)
{
    if (name > len - *at) {
        return false;
    }
    *out = (gh_str_t) { plain + *at, name };
    *at += name;
    return true;
}

/* What a tag holds for was written here: only its own lengths are looked at again. */
static bool
plain_read(const char *plain, size_t len, gh_handle_t *handle)
{
    const uint8_t *bytes = (const uint8_t *) plain;
    size_t         at = 9, name;

    if (len < SEALED_MIN || (bytes[0] & ~(KIND_BITS | SESSION_BIT)) != 0 || (bytes[0] & KIND_BITS) >= GH_HANDLE_KINDS) {
        return false;
    }
    handle->kind = (gh_handle_kind_t) (bytes[0] & KIND_BITS);
    handle->tenant_uid = 0;
    for (unsigned i = 0; i < 8; i++) {
        handle->tenant_uid |= (uint64_t) bytes[1 + i] << 8 * i;
    }
    if ((bytes[0] & SESSION_BIT) != 0) {
        name = bytes[at++];
        if (!take(plain, len, &at, name, &handle->session) || len - at < 1) {
            return false;
        }
    }
    name = bytes[at++];
    if (!take(plain, len, &at, name, &handle->deployment) || len - at < 2) {
        return false;
    }
    name = bytes[at] | (size_t) bytes[at + 1] << 8;
    at += 2;
    return take(plain, len, &at, name, &handle->model) && take(plain, len, &at, len - at, &handle->id) && handle->id.len > 0;
}

static int
unknown(gh_error_t *error)
{
    return gh_error_set(error, "handle_unknown", "the id was not given out here");
}

/* The prefix is no part of what the tag covers, but follows from it. */
static size_t
text_prefix(gh_str_t text)
{
    for (size_t i = 0; i < text.len && i < PREFIX_MAX; i++) {
        if (text.data[i] == '_' || text.data[i] == '-') {
            return i + 1;
        }
    }
    return 0;
}

int
gh_handle_read(gh_handles_t *handles, gh_str_t text, gh_handle_kind_t kind, uint64_t tenant_uid, char *buffer, gh_handle_t *handle,
    gh_error_t *error)
{
    uint8_t  given[TAG], tag[32];
    size_t   prefix = text_prefix(text);
    gh_str_t expected;
    char    *plain;
    long     len;

    memset(handle, 0, sizeof(*handle));
    if (prefix == 0 || text.len > GH_HANDLE_MAX) {
        return unknown(error);
    }
    len = gh_base64url_decode((gh_str_t) { text.data + prefix, text.len - prefix }, (uint8_t *) buffer, GH_HANDLE_MAX);
    if (len < (long) (HEAD + SEALED_MIN) || len > (long) (HEAD + SEALED_MAX) || buffer[0] != KEY_NUMBER) {
        return unknown(error);
    }
    memcpy(given, buffer + 1, TAG);
    plain = buffer + HEAD;
    len -= HEAD;
    if (apply_seal(handles, given, (uint8_t *) plain, (size_t) len) != GH_OK || tag_of(handles, (uint8_t *) plain, (size_t) len, tag) != GH_OK
        || gh_memcmp_constant(given, tag, TAG) != 0 || !plain_read(plain, (size_t) len, handle))
    {
        memset(handle, 0, sizeof(*handle));
        return unknown(error);
    }
    expected = prefix_of(handle->kind, handle->id);
    if (!gh_str_eq(expected, (gh_str_t) { text.data, prefix })) {
        memset(handle, 0, sizeof(*handle));
        return unknown(error);
    }
    if (handle->tenant_uid != tenant_uid) {
        handle->id = (gh_str_t) { NULL, 0 };
        return gh_error_set(error, "handle_foreign", "the id was given to another tenant");
    }
    if (handle->kind != kind) {
        handle->id = (gh_str_t) { NULL, 0 };
        return gh_error_set(error, "handle_kind", "the id is of kind %s, not %s", gh_handle_kind_names[handle->kind],
            gh_handle_kind_names[kind]);
    }
    return GH_OK;
}
