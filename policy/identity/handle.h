/*
 * Handles: the ids of what a provider keeps for a client (responses, conversations, files, items of an output, containers, answers in audio,
 * messages), as clients get them. One says where the state lives and whose it is, under a MAC, so that state stays with the deployment that
 * made it and an id that was not given out here, or was given to another tenant, is known as such without a look-up.
 *
 * Text: the prefix of the provider's own id ("resp_", "msg_", "file-", ...; the kind's where that has none), then base64url without padding of
 *
 *   key u8 | tag u8[16] | sealed
 *
 * sealed, decrypted: form u8, tenant uid u64 (little-endian), where the form says so length u8 and session, length u8 and name of the deployment,
 * length u16 and name of the model, and the provider's id to the end. form: the kind in bits 0 to 4, bit 7: the session is in it that the id was
 * given out in (policy/session/session.h); another bit is of a form to come, and opens nowhere that does not know it. tag: the first 16 bytes of
 * HMAC-SHA-256(subkey "handle-mac", key byte and decrypted bytes). sealed is XORed with HMAC-SHA-256(subkey "handle-seal", tag and u32 block
 * number), 32 bytes a block: an encryption whose nonce is the tag (the SIV construction of RFC 5297, with other primitives), so names of
 * deployments do not leak, and one id has one handle in each session. The key byte says which secret: there is one today; a second would be
 * accepted beside it while its predecessor's handles live.
 */
#ifndef GH_HANDLE_H
#define GH_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"
#include "policy/base/str.h"

typedef enum {
    GH_HANDLE_RESPONSE = 0,
    GH_HANDLE_CONVERSATION,
    GH_HANDLE_FILE,
    GH_HANDLE_ITEM,            /* of a response's output: a message, a call, reasoning */
    GH_HANDLE_CONTAINER,
    GH_HANDLE_AUDIO,           /* an answer of chat completions, kept as audio */
    GH_HANDLE_MESSAGE,         /* an answer of Messages, where it is kept */
    GH_HANDLE_KINDS
} gh_handle_kind_t;

/* "response", "conversation", ... */
extern const char *const gh_handle_kind_names[GH_HANDLE_KINDS];

#define GH_HANDLE_SESSION_MAX    32u     /* bytes: of its id */
#define GH_HANDLE_DEPLOYMENT_MAX 255u
#define GH_HANDLE_MODEL_MAX      256u
#define GH_HANDLE_ID_MAX         256u
#define GH_HANDLE_MAX            1144u   /* bytes of text: above that of any handle */

typedef struct {
    gh_handle_kind_t kind;
    uint64_t         tenant_uid;
    gh_str_t         deployment;   /* its name in fleet/1 */
    gh_str_t         model;        /* the catalogue's name of the model that made it */
    gh_str_t         id;           /* the provider's own */
    gh_str_t         session;      /* its id; empty: it was given out in none */
} gh_handle_t;

typedef struct gh_handles_s gh_handles_t;    /* keyed once, used for many; one thread */

/* secret: the bytes of store.key. Owned by the caller: gh_handles_free. NULL when OpenSSL fails or there is no memory. */
gh_handles_t *gh_handles_new(const uint8_t secret[32]);
void gh_handles_free(gh_handles_t *handles);

/* Into text (size bytes, no NUL). Returns the length; 0: a part of it is empty or too long, or the text does not fit. */
size_t gh_handle_write(gh_handles_t *handles, const gh_handle_t *handle, char *text, size_t size);

/*
 * Opens a handle for a tenant; kind is what it is used as. Strings of *handle lie in buffer (GH_HANDLE_MAX bytes). GH_ERROR, *error:
 * "handle_unknown" (not given out here, or changed since), "handle_foreign" (another tenant's), "handle_kind" (of something else). Clients are not
 * told which. handle->deployment and handle->model are set with the last two, for the record.
 */
int gh_handle_read(gh_handles_t *handles, gh_str_t text, gh_handle_kind_t kind, uint64_t tenant_uid, char *buffer, gh_handle_t *handle,
    gh_error_t *error);

#endif
