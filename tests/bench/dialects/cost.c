/*
 * What a translated stream costs for each event, from each dialect to each other: text in deltas of a few bytes as models send it, one event at a time, as
 * the worst network brings it. Beside it the same bytes copied. By hand:
 *
 *     make build/tests/bench/dialects/cost && build/tests/bench/dialects/cost [EVENTS] [--check]
 *
 * --check fails when an event costs more than 2 us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/hub/hub.h"

static const gh_hub_reply_t reply = { { "req-1", 5 }, { "a-model", 7 }, 1700000000, 12, true };

/* An answer's beginning, one delta, and its end, as each dialect sends them. */
static const struct {
    const char *begin, *delta, *end;
} shapes[GH_HUB_DIALECTS] = {
    [GH_HUB_CHAT] = {
        "data: {\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1700000001,\"model\":\"gpt-x\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1700000001,\"model\":\"gpt-x\",\"service_tier\":\"default\","
        "\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" countries\"},\"logprobs\":null,"
        "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"p8Lk2\"}\n\n",
        "data: {\"id\":\"chatcmpl-7\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n" },
    [GH_HUB_MESSAGES] = {
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":9}}}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" countries\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\","
        "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" },
    [GH_HUB_CONVERSE] = { NULL, "{\"contentBlockIndex\":0,\"delta\":{\"text\":\" countries\"},\"p\":\"abcdefghijklmnopq\"}", NULL },
    [GH_HUB_RESPONSES] = {
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-x\",\"created_at\":1}}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":14,\"item_id\":\"msg_68af40\","
        "\"output_index\":0,\"content_index\":0,\"delta\":\" countries\",\"logprobs\":[],\"obfuscation\":\"p8Lk2\"}\n\n",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n" },
    [GH_HUB_INVOKE] = { NULL, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" countries\"}}", NULL },
};

static size_t written;

static void
count_bytes(void *context, const char *data, size_t len)
{
    (void) context;
    (void) data;
    written += len;
}

static void
count_message(void *context, const char *type, bool exception, gh_str_t payload)
{
    (void) context;
    (void) type;
    (void) exception;
    written += payload.len;
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static void
feed(gh_hub_stream_t *s, const char *text)
{
    gh_hub_stream_feed(s, text, strlen(text));
}

static void
chunk(gh_hub_stream_t *s, const char *event)
{
    char payload[1024];

    gh_hub_stream_message(s, GH_STR("chunk"), false, (gh_str_t) { payload, gh_bedrock_chunk_write(gh_str_from(event), payload) });
}

static double
run(gh_hub_dialect_t from, gh_hub_dialect_t to, unsigned events)
{
    gh_heap_t        heap;
    gh_hub_stream_t *s;
    const char      *delta = shapes[from].delta;
    size_t           len = strlen(delta);
    double           begin;
    unsigned         i;
    char             payload[1024];

    gh_heap_init(&heap);
    s = gh_hub_stream_new(&heap.arena, from, to, &reply, (gh_hub_out_t) { count_bytes, count_message, NULL });
    if (from == GH_HUB_CONVERSE) {
        gh_hub_stream_message(s, GH_STR("messageStart"), false, GH_STR("{\"role\":\"assistant\"}"));
    } else if (from == GH_HUB_INVOKE) {
        chunk(s, "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":9}}}");
        chunk(s, "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
        len = gh_bedrock_chunk_write(gh_str_from(delta), payload);
        delta = payload;
    } else {
        feed(s, shapes[from].begin);
    }

    begin = now();
    for (i = 0; i < events; i++) {
        if (gh_hub_framed(from)) {
            gh_hub_stream_message(s, from == GH_HUB_CONVERSE ? GH_STR("contentBlockDelta") : GH_STR("chunk"), false, (gh_str_t) { delta, len });
        } else {
            gh_hub_stream_feed(s, delta, len);
        }
    }
    begin = now() - begin;

    if (from == GH_HUB_CONVERSE) {
        gh_hub_stream_message(s, GH_STR("messageStop"), false, GH_STR("{\"stopReason\":\"end_turn\"}"));
        gh_hub_stream_message(s, GH_STR("metadata"), false, GH_STR("{}"));
    } else if (from == GH_HUB_INVOKE) {
        chunk(s, "{\"type\":\"content_block_stop\",\"index\":0}");
        chunk(s, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}");
        chunk(s, "{\"type\":\"message_stop\"}");
    } else {
        feed(s, shapes[from].end);
    }
    gh_hub_stream_finish(s);
    if (gh_hub_stream_state(s).failed || gh_hub_stream_state(s).events != events) {
        fprintf(stderr, "%s to %s: the stream failed\n", gh_hub_dialect_names[from], gh_hub_dialect_names[to]);
        exit(1);
    }
    gh_heap_free(&heap);

    return begin / events;
}

int
main(int argc, char **argv)
{
    bool     check = argc > 1 && strcmp(argv[argc - 1], "--check") == 0;
    unsigned events = argc > 1 + check ? (unsigned) strtoul(argv[1], NULL, 10) : 50000, from, to, i;
    char     copy[4096];
    double   most = 0;

    for (from = 0; from < GH_HUB_DIALECTS; from++) {
        double begin, best;

        if (shapes[from].delta == NULL) {
            continue;
        }

        begin = now();
        for (i = 0; i < events; i++) {
            memcpy(copy, shapes[from].delta, strlen(shapes[from].delta));
            __asm__ volatile("" : : "r"(copy) : "memory");
        }
        printf("%-10s %zu bytes an event, copied in %.0f ns\n", gh_hub_dialect_names[from], strlen(shapes[from].delta), (now() - begin) / events);

        for (to = 0; to < GH_HUB_DIALECTS; to++) {
            if (to == from || to == GH_HUB_CHAT_OPEN) {
                continue;
            }
            best = 1e18;
            for (i = 0; i < 5; i++) {
                double one = run(from, to, events);

                best = one < best ? one : best;
            }
            most = best > most ? best : most;
            printf("%-10s to %-10s %6.0f ns an event\n", gh_hub_dialect_names[from], gh_hub_dialect_names[to], best);
        }
    }

    if (check && most > 2000) {
        printf("above 2000 ns an event: %.0f\n", most);
        return 1;
    }
    return 0;
}
