/*
 * The frames of a backend's AWS event stream: read, and where both sides speak the same passed on as they came.
 */

#include "ngx_http_gatehouse_translate.h"


static void ngx_http_gatehouse_translate_renamed(
    ngx_http_gatehouse_translation_t *t, gh_aws_message_t *message,
    gh_str_t type);
static void ngx_http_gatehouse_translate_fault(
    ngx_http_gatehouse_translation_t *t);


/* Messages of an AWS event stream, one event each. */
void
ngx_http_gatehouse_translate_frames(ngx_http_gatehouse_translation_t *t,
    u_char *data, size_t len)
{
    gh_str_t          rest, raw;
    gh_error_t        error;
    gh_aws_read_t     rc;
    gh_aws_class_t    class;
    gh_aws_message_t  message;

    rest = (gh_str_t) { (char *) data, len };

    for ( ;; ) {
        rc = gh_aws_decoder_next(t->decoder, &rest, &message, &error);

        if (rc == GH_AWS_MORE) {
            return;
        }

        if (rc == GH_AWS_WRONG
            || gh_aws_classify(&message, &class, &error) != GH_OK)
        {
            gh_hub_stream_break(t->stream,
                                "The backend's stream cannot be read.");
            return;
        }

        if (class.kind == GH_AWS_FAULT) {
            ngx_http_gatehouse_translate_fault(t);
            return;
        }

        if (gh_hub_stream_state(t->stream).failed) {
            /* nothing passes behind an exception */
            return;
        }

        if (t->ids && gh_hub_stream_state(t->stream).done) {
            /* nor, where ids are given out, behind the end: nobody reads it */
            return;
        }

        if (t->ids && class.kind == GH_AWS_UNKNOWN) {
            /* nobody knows where ids stand in it */
            continue;
        }

        if (t->same && t->ids && class.kind == GH_AWS_EVENT) {
            ngx_http_gatehouse_translate_renamed(t, &message, class.type);
            continue;
        }

        if (t->same && (class.kind != GH_AWS_EXCEPTION
                        || t->ctx->request->upstream->header_sent
                        || gh_hub_stream_state(t->stream).events))
        {
            t->passed = (class.kind == GH_AWS_EXCEPTION);
            raw = gh_aws_message_bytes(&message);
            ngx_http_gatehouse_bytes_out(t, raw.data, raw.len);
        }

        if (class.kind != GH_AWS_UNKNOWN) {
            gh_hub_stream_message(t->stream, class.type,
                                  class.kind == GH_AWS_EXCEPTION,
                                  message.payload);
        }
    }
}


/* A message whose ids are given out: in a frame of its own where it has any, else as it came. */
static void
ngx_http_gatehouse_translate_renamed(ngx_http_gatehouse_translation_t *t,
    gh_aws_message_t *message, gh_str_t type)
{
    gh_str_t  raw;

    gh_hub_stream_message(t->stream, type, 0, message->payload);

    if (!gh_hub_stream_changed(t->stream)
        && !gh_hub_stream_state(t->stream).failed)
    {
        raw = gh_aws_message_bytes(message);
        ngx_http_gatehouse_bytes_out(t, raw.data, raw.len);
    }
}


static void
ngx_http_gatehouse_translate_fault(ngx_http_gatehouse_translation_t *t)
{
    gh_hub_error_t  error;

    ngx_memzero(&error, sizeof(gh_hub_error_t));

    error.status = NGX_HTTP_BAD_GATEWAY;
    error.failure = GH_HUB_API;
    error.message = GH_STR("The backend's stream failed.");
    error.code = GH_STR("bad_gateway");

    gh_hub_stream_fail(t->stream, &error);
}
