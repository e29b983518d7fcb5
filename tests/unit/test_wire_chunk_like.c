/* Chunks that are like the one before them say what reading all of them says, whatever stands in them. */
#include <stdlib.h>

#include "ngx_module/wire/sse.h"
#include "tests/unit/check.h"

static uint32_t state = 11;

static unsigned
random_below(unsigned n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

#define ONE(literal) { literal, sizeof(literal) - 1 }

/* Text as a backend writes it, and what is no string at all. */
static const gh_str_t words[] = {
    ONE("a"), ONE(" token"), ONE(""), ONE("\\n"), ONE("\\u00e9"), ONE("\xc3\xa9"), ONE("\\ud83d\\ude00"), ONE("\xf0\x9f\x98\x80"), ONE("\\\\"),
    ONE("\\\""), ONE("error"), ONE("[DONE]"), ONE("\x01"), ONE("\xff"), ONE("\\ud800"), ONE("\\x"), ONE("\""), ONE("\",\"error\":\"x"),
    ONE("\"},\"finish_reason\":\"stop"), ONE("{\"usage\":{}}"), ONE("\\"), ONE("\x00"), ONE("a much longer piece of text than the others are, with more words in it")
};

/* %1: text, %2: another, %3: padding. What surrounds them is of OpenAI, Azure, vLLM and llama.cpp, and what a backend could think of. */
static const char *const shapes[] = {
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%1\"},\"finish_reason\":null}]}",
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%1\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"%3\"}",
    "{\"obfuscation\":\"%3\",\"choices\":[{\"delta\":{\"content\":\"%1\"}}]}",
    "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"%1\",\"reasoning_content\":\"%2\"}}]}",
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_%2\",\"type\":\"function\",\"function\":{\"arguments\":\"%1\"}}]}}]}",
    "{\"choices\":[{\"text\":\"%1\",\"index\":0}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"%1\"},\"finish_reason\":\"%2\"}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"%1\"}}],\"usage\":{\"prompt_tokens\":1}}",
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":1},\"obfuscation\":\"%3\"}",
    "{\"object\":\"%2\",\"choices\":[{\"delta\":{\"content\":\"%1\"}}]}",
    "{\"error\":\"%2\",\"choices\":[{\"delta\":{\"content\":\"%1\"}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"%1\",\"x\":{\"obfuscation\":\"%3\"}}}]}",
    "{\"choices\":[{\"delta\":{\"%2\":\"%1\"}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"%1\"}},{\"delta\":{\"content\":\"%2\"}}]}",
    "{\"choices\":[{\"delta\":\"%1\"}]}", "[\"%1\"]", "%1", "[DONE]", " [DONE] "
};

static gh_str_t
word(void)
{
    return words[random_below(2) == 0 ? random_below(4) : random_below(sizeof(words) / sizeof(words[0]))];
}

static gh_str_t
make(const char *shape, gh_str_t second, char *to)
{
    size_t len = 0;

    for (; *shape != '\0'; shape++) {
        gh_str_t in = *shape != '%' ? (gh_str_t) { shape, 1 } : *++shape == '2' ? second : word();

        memcpy(to + len, in.data, in.len);
        len += in.len;
    }

    return (gh_str_t) { to, len };
}

static bool
equal(const gh_chunk_t *a, const gh_chunk_t *b)
{
    return a->readable == b->readable && a->done == b->done && a->error == b->error && a->waits == b->waits && a->choices == b->choices
        && a->finish == b->finish && a->usage_only == b->usage_only && a->content_bytes == b->content_bytes
        && a->usage_value.data == b->usage_value.data && a->usage_value.len == b->usage_value.len
        && a->error_value.data == b->error_value.data && a->error_value.len == b->error_value.len;
}

static void
test_same_as_reading(void)
{
    unsigned alike = 0, read = 0, wrong = 0;

    for (unsigned stream = 0; stream < 3000; stream++) {
        gh_chunk_like_t like;
        const char     *shape = shapes[random_below(sizeof(shapes) / sizeof(shapes[0]))];
        gh_str_t        second = word();

        memset(&like, 0, sizeof(like));
        for (unsigned i = 0; i < 40; i++) {
            char       bytes[2048], *data;
            gh_chunk_t chunk, found;
            gh_str_t   text;

            if (random_below(12) == 0) {
                shape = shapes[random_below(sizeof(shapes) / sizeof(shapes[0]))];
                second = word();
            }
            text = make(shape, second, bytes);
            if (random_below(10) == 0 && text.len > 1) {         /* cut, or a byte changed */
                text.len -= random_below(2) == 0 ? random_below((unsigned) text.len) : 0;
                bytes[random_below((unsigned) text.len)] = "\"\\{}[]:, xe1"[random_below(12)];
            }
            data = malloc(text.len + 1);                         /* nothing behind it is read */
            memcpy(data, text.data, text.len);
            data = realloc(data, text.len != 0 ? text.len : 1);
            text.data = data;

            gh_chunk_chat(text, &chunk);
            if (gh_chunk_like(&like, text, &found)) {
                alike++;
                wrong += !equal(&chunk, &found);
            } else {
                read++;
                gh_chunk_learn(&like, text, &chunk);
            }
            free(data);
        }
    }
    CHECK_INT(wrong, 0);
    CHECK(alike > 20000 && read > 20000);
}

/* Of a stream as it is, all but the first chunks are alike. */
static void
test_learned_at_once(const char *shape)
{
    gh_chunk_like_t like;
    unsigned        alike = 0;
    char            bytes[512];

    memset(&like, 0, sizeof(like));
    for (unsigned i = 0; i < 100; i++) {
        gh_chunk_t chunk, found;
        gh_str_t   text;
        char       piece[512];

        snprintf(piece, sizeof(piece), "%s", shape);
        text = (gh_str_t) { bytes, (size_t) snprintf(bytes, sizeof(bytes), piece, "some text" + i % 4, "xxxxxxxxxxxx" + i % 12) };
        gh_chunk_chat(text, &chunk);
        CHECK(chunk.readable && chunk.content_bytes == 9 - i % 4);
        if (gh_chunk_like(&like, text, &found)) {
            alike++;
            CHECK(equal(&chunk, &found));
        } else {
            gh_chunk_learn(&like, text, &chunk);
        }
    }
    CHECK_INT(alike, 99);
}

/* Chunks of which no two are alike are learned from a few times only; too long ones never. */
static void
test_gives_up(void)
{
    gh_chunk_like_t like;
    gh_chunk_t      chunk;
    char            bytes[2048];

    memset(&like, 0, sizeof(like));
    for (unsigned i = 0; i < 100; i++) {
        gh_str_t text = { bytes, (size_t) snprintf(bytes, sizeof(bytes), "{\"created\":%u,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", i) };

        CHECK(!gh_chunk_like(&like, text, &chunk));
        gh_chunk_chat(text, &chunk);
        gh_chunk_learn(&like, text, &chunk);
    }
    CHECK_INT(like.tries, 4);

    memset(&like, 0, sizeof(like));
    memset(bytes, 'y', sizeof(bytes));
    memcpy(bytes, "{\"choices\":[{\"delta\":{\"content\":\"", 33);
    memcpy(bytes + sizeof(bytes) - 5, "\"}}]}", 5);
    gh_chunk_chat((gh_str_t) { bytes, sizeof(bytes) }, &chunk);
    CHECK(chunk.content_bytes > 1900);
    gh_chunk_learn(&like, (gh_str_t) { bytes, sizeof(bytes) }, &chunk);
    CHECK(!like.known && like.tries == 0);
}

int
main(void)
{
    test_same_as_reading();
    test_learned_at_once("{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}");
    test_learned_at_once("{\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"%s\"}}],\"usage\":null,\"obfuscation\":\"%s\"}");
    test_learned_at_once("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"type\":\"function\",\"function\":{\"arguments\":\"%s\"}}]}}]}");
    test_gives_up();

    return check_done("chunks that are alike");
}
