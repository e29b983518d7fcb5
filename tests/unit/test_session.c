/* Labels of sessions: where they are found, which one counts, what is none; and the id that a label becomes. */
#include <stdlib.h>

#include "ngx_module/wire/ids.h"
#include "policy/session/session.h"
#include "tests/unit/intake_world.h"

#define UUID "00000000-0000-4000-8000-00000000000a"
#define LONG_256 "................................................................................................................................" \
                 "................................................................................................................................"

static gh_session_label_t best;

/* A header in memory of its own size; false: it names no session by its name. */
static bool
header(const char *name, const char *value)
{
    size_t len = strlen(value);
    char  *copy = gh_arena_alloc(&heap.arena, len != 0 ? len : 1);

    memcpy(copy, value, len);
    return gh_session_header(&heap.arena, &best, gh_str_from(name), (gh_str_t) { copy, len });
}

/* The only header of a request: "SOURCE LABEL", or "". */
static const char *
named(const char *name, const char *value)
{
    static char text[512];

    memset(&best, 0, sizeof(best));
    header(name, value);
    text[0] = '\0';
    if (best.source != GH_SESSION_NONE) {
        snprintf(text, sizeof(text), "%s|%.*s", gh_session_source_names[best.source], GH_STR_ARG(best.text));
    }
    return text;
}

#define CHECK_NAMED(name, value, expected) CHECK_STR(gh_str_from(named((name), (value))), (expected))

static void
test_headers(void)
{
    CHECK_NAMED("X-Gatehouse-Session-Id", " run 7 ", "x-gatehouse-session-id|run 7");
    CHECK_NAMED("X-Claude-Code-Session-Id", UUID, "x-claude-code-session-id|" UUID);
    CHECK_NAMED("session-id", "s", "session-id|s");
    CHECK_NAMED("session_id", "s", "session-id|s");
    CHECK_NAMED("Thread-Id", "s", "thread-id|s");
    CHECK_NAMED("x-codex-window-id", UUID ":12", "x-codex-window-id|" UUID);
    CHECK_NAMED("x-codex-window-id", "a:b", "x-codex-window-id|a:b");
    CHECK_NAMED("x-codex-window-id", ":1", "x-codex-window-id|:1");
    CHECK_NAMED("x-codex-window-id", "12", "x-codex-window-id|12");
    CHECK_NAMED("x-litellm-session-id", "s", "x-litellm-session-id|s");
    CHECK_NAMED("x-litellm-trace-id", "s", "x-litellm-trace-id|s");
    CHECK_NAMED("x-portkey-trace-id", "s", "x-portkey-trace-id|s");
    CHECK_NAMED("Helicone-Session-Id", "s", "helicone-session-id|s");
    CHECK_NAMED("x-opencode-session", "s", "x-opencode-session|s");
    CHECK_NAMED("x-grok-conv-id", "s", "x-grok-conv-id|s");
    CHECK_NAMED("agent-session-id", "s", "agent-session-id|s");
    CHECK_NAMED("X-Session-Id", "s", "x-session-id|s");

    /* of other things, and of parts of one */
    CHECK(!header("x-claude-code-agent-id", "s"));
    CHECK(!header("x-claude-code-session-i", "s"));
    CHECK(!header("x-claude-code-session-idx", "s"));
    CHECK(!header("authorization", "s"));
    CHECK(!header("x-stainless-os", "Linux"));
    CHECK(!header("x-request-id", "s"));
    CHECK(!header("connection", "close"));
    CHECK(!header("", ""));
}

/* One to 256 bytes of printable ASCII; of other gateways and clients anything else is none, of ours it is refused. */
static void
test_bounds(void)
{
    static const char *const bad[] = { "", "  ", "a\tb", "a\x1f", "a\x7f", "caf\xc3\xa9", LONG_256 "." };
    char                     one[2] = "";

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_NAMED("x-session-id", bad[i], "");
        CHECK(!best.refused);
        CHECK_NAMED("x-gatehouse-session-id", bad[i], "");
        CHECK(best.refused);
    }
    CHECK_NAMED("x-session-id", LONG_256, "x-session-id|" LONG_256);
    for (int c = 1; c < 256; c++) {
        one[0] = (char) c;
        named("x-session-id", one);
        CHECK_INT(best.source != GH_SESSION_NONE, c > ' ' && c < 0x7f);
    }

    /* two of ours are as good as none, unless they say the same */
    named("x-gatehouse-session-id", "a");
    CHECK(header("x-gatehouse-session-id", " a"));
    CHECK(!best.refused);
    CHECK(header("x-gatehouse-session-id", "b"));
    CHECK(best.refused);
    named("x-session-id", "a");
    header("x-session-id", "b");
    CHECK_STR(best.text, "a");
    CHECK(!best.refused);
}

static void
test_turn(void)
{
    CHECK_NAMED("x-codex-turn-metadata", "{\"turn_id\":\"t\",\"thread_id\":\"th\",\"session_id\":\"se\"}", "x-codex-turn-metadata|se");
    CHECK_NAMED("x-codex-turn-metadata", "{\"thread_id\":\"th\",\"sandbox\":{\"session_id\":\"no\"}}", "x-codex-turn-metadata|th");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session\\u005fid\":\"s\\u0065\"}", "x-codex-turn-metadata|se");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session_id\":[\"no\"],\"thread_id\":null}", "");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session_id\":\"" LONG_256 ".\",\"thread_id\":\"th\"}", "x-codex-turn-metadata|th");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session_id\":\"a\\nb\"}", "");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session_id\":\"se\"", "");
    CHECK_NAMED("x-codex-turn-metadata", "{\"session_id\":\"se\"} x", "");
    CHECK_NAMED("x-codex-turn-metadata", "[{\"session_id\":\"se\"}]", "");
    CHECK_NAMED("x-codex-turn-metadata", "se", "");
}

static void
test_baggage(void)
{
    char *text = malloc(GH_SESSION_TEXT_MAX + 2);

    CHECK_NAMED("baggage", "session.id=a", "baggage session.id|a");
    CHECK_NAMED("Baggage", "k=v, session.id = a ;ttl=3 , gen_ai.conversation.id=b%20c;x", "baggage gen_ai.conversation.id|b c");
    CHECK_NAMED("baggage", "session.id=%C3%A9", "");
    CHECK_NAMED("baggage", "session.id=%4", "");
    CHECK_NAMED("baggage", "session.id=%zz,session.id=a", "baggage session.id|a");
    CHECK_NAMED("baggage", "session.id", "");
    CHECK_NAMED("baggage", ",,;,=,", "");
    CHECK_NAMED("baggage", "xsession.id=a,k;session.id=b", "");

    /* a value after decoding has its bound, and the list has one */
    snprintf(text, GH_SESSION_TEXT_MAX, "session.id=%s%%2e", LONG_256);
    CHECK_NAMED("baggage", text, "");
    memset(text, 'k', GH_SESSION_TEXT_MAX);
    memcpy(text + GH_SESSION_TEXT_MAX - 14, ",session.id=ab", 14);
    text[GH_SESSION_TEXT_MAX] = '\0';
    CHECK_NAMED("baggage", text, "baggage session.id|ab");
    text[GH_SESSION_TEXT_MAX] = 'c';
    text[GH_SESSION_TEXT_MAX + 1] = '\0';
    CHECK_NAMED("baggage", text, "");
    free(text);
}

/* The label of a body: "SOURCE|LABEL", or "". */
static const char *
of_body(gh_endpoint_t endpoint, const char *members)
{
    static char text[1024], body[1024];
    gh_url_t    url = { .endpoint = endpoint, .model = endpoint == GH_ENDPOINT_CONVERSE ? GH_STR("m") : (gh_str_t) { NULL, 0 } };

    snprintf(body, sizeof(body), "{%s%s,%s}", url.model.data == NULL ? "\"model\":\"m\"," : "", endpoint == GH_ENDPOINT_RESPONSES ? "\"input\":\"x\"" : "\"messages\":[]",
        members);
    CHECK_INT(gh_intake_parse_url(&heap.arena, &url, gh_str_from(body), &intake, &error), GH_OK);
    text[0] = '\0';
    if (intake.label.source != GH_SESSION_NONE) {
        snprintf(text, sizeof(text), "%s|%.*s", gh_session_source_names[intake.label.source], GH_STR_ARG(intake.label.text));
    }
    return text;
}

#define CHECK_BODY(endpoint, members, expected) CHECK_STR(gh_str_from(of_body(GH_ENDPOINT_##endpoint, (members))), (expected))

static void
test_bodies(void)
{
    CHECK_BODY(CHAT_COMPLETIONS, "\"user\":\"u\"", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"prompt_cache_key\" : \"k\\u0065y\"", "prompt_cache_key|key");
    CHECK_BODY(CHAT_COMPLETIONS, "\"prompt_cache_key\":null", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"prompt_cache_key\":[\"k\"]", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"prompt_cache_key\":\"\"", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"prompt_cache_key\":\"k\",\"session_id\":\"s\"", "session_id|s");
    CHECK_BODY(CHAT_COMPLETIONS, "\"session_id\":\"s\",\"prompt_cache_key\":\"k\"", "session_id|s");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":{\"group_id\":\"g\",\"trace_id\":\"t\",\"x\":[{\"session_id\":\"no\"}]}", "metadata.trace_id|t");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":{\"langfuse_session_id\":\"l\"},\"session_id\":\"s\"", "metadata.langfuse_session_id|l");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":{\"agent_harness_id\":\"h\"}", "metadata.agent_harness_id|h");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":{\"thread_id\":\"a\",\"conversation_id\":\"b\",\"litellm_session_id\":\"c\"}", "metadata.litellm_session_id|c");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":\"session_id\"", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":null", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"metadata\":{}", "");
    CHECK_BODY(CHAT_COMPLETIONS, "\"client_metadata\":{\"session_id\":\"s\"}", "");
    CHECK_BODY(RESPONSES, "\"client_metadata\":{\"thread_id\":\"t\"},\"metadata\":{\"session_id\":\"m\"}", "client_metadata.thread_id|t");
    CHECK_BODY(RESPONSES, "\"client_metadata\":{\"thread_id\":\"t\",\"session_id\":\"s\"}", "client_metadata.session_id|s");
    CHECK_BODY(RESPONSES, "\"prompt_cache_key\":\"k\"", "prompt_cache_key|k");
    CHECK_BODY(MESSAGES, "\"metadata\":{\"user_id\":\"user_1_account__session_" UUID "\"}", "metadata.user_id|" UUID);
    CHECK_BODY(MESSAGES, "\"metadata\":{\"user_id\":\"{\\\"device_id\\\":\\\"d\\\",\\\"session_id\\\":\\\"" UUID "\\\"}\"}", "metadata.user_id|" UUID);
    CHECK_BODY(MESSAGES, "\"metadata\":{\"user_id\":\"someone\"}", "");
    CHECK_BODY(MESSAGES, "\"metadata\":{\"user_id\":\"_session_1\"}", "");
    CHECK_BODY(MESSAGES, "\"metadata\":{\"user_id\":\"x session_" UUID "\"}", "");
    CHECK_BODY(CONVERSE, "\"requestMetadata\":{\"session_id\":\"s\"}", "metadata.session_id|s");
}

/* Every source beats every one that follows it, in whichever order they are read. */
static void
test_precedence(void)
{
    for (unsigned a = 1; a < GH_SESSION_SOURCES; a++) {
        CHECK(gh_session_source_names[a] != NULL && gh_session_source_names[a][0] != '\0');
        for (unsigned b = 1; b < GH_SESSION_SOURCES; b++) {
            memset(&best, 0, sizeof(best));
            gh_session_offer(&best, (gh_session_source_t) a, GH_STR("a"));
            gh_session_offer(&best, (gh_session_source_t) b, GH_STR("b"));
            CHECK_INT(best.source, a < b ? a : b);
            CHECK_STR(best.text, a <= b ? "a" : "b");
            gh_session_offer(&best, GH_SESSION_CLAUDE_CODE, GH_STR("\x01"));
            CHECK_INT(best.source, a < b ? a : b);
        }
    }

    CHECK_INT(parse(CHAT("\"metadata\":{\"session_id\":\"m\"},\"prompt_cache_key\":\"k\"")), GH_OK);
    CHECK(gh_intake_header(&heap.arena, &intake, GH_STR("traceparent"), GH_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
    CHECK_INT(intake.label.source, GH_SESSION_METADATA_SESSION);
    CHECK(!gh_intake_header(&heap.arena, &intake, GH_STR("baggage"), GH_STR("session.id=b")));
    CHECK_INT(intake.label.source, GH_SESSION_BAGGAGE_SESSION);
    CHECK(!gh_intake_header(&heap.arena, &intake, GH_STR("X-Gatehouse-Session-Id"), GH_STR("g")));
    CHECK_STR(intake.label.text, "g");

    CHECK_INT(parse(CHAT("\"user\":\"u\"")), GH_OK);
    CHECK(gh_intake_header(&heap.arena, &intake, GH_STR("traceparent"), GH_STR("00-00000000000000000000000000000000-b7ad6b7169203331-01")));
    CHECK_INT(intake.label.source, GH_SESSION_NONE);
    gh_intake_header(&heap.arena, &intake, GH_STR("traceparent"), GH_STR("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    CHECK_INT(intake.label.source, GH_SESSION_NONE);
    gh_intake_header(&heap.arena, &intake, GH_STR("traceparent"), GH_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    CHECK_STR(intake.label.text, "0af7651916cd43dd8448eb211c80319c");
}

static void
id_of(const gh_sessions_t *sessions, uint64_t tenant, gh_session_source_t source, const char *label, uint8_t id[GH_SESSION_ID])
{
    CHECK_INT(gh_session_id(sessions, tenant, source, gh_str_from(label), id), GH_OK);
}

/* As computed from the header's description with another language's HMAC and HKDF. */
static void
test_ids(const gh_sessions_t *sessions)
{
    static const uint8_t claude[8] = { 0xf5, 0x4d, 0xb0, 0x2d, 0x1a, 0x6b, 0x24, 0x43 }, ours[8] = { 0xcf, 0x15, 0x1a, 0x96, 0x51, 0xf1, 0x7e, 0xe8 };
    uint8_t a[GH_SESSION_ID], b[GH_SESSION_ID];

    id_of(sessions, 7, GH_SESSION_CLAUDE_CODE, "00000000-0000-4000-8000-000000000000", a);
    CHECK_MEM(a, claude, sizeof(claude));
    id_of(sessions, 7, GH_SESSION_USER_ID, "00000000-0000-4000-8000-000000000000", b);
    CHECK_MEM(a, b, sizeof(a));
    id_of(sessions, (UINT64_C(1) << 63) + 5, GH_SESSION_GATEHOUSE, "nightly build 7", a);
    CHECK_MEM(a, ours, sizeof(ours));

    /* another tenant, another kind, another label: each another session */
    for (unsigned source = 1; source < GH_SESSION_SOURCES; source++) {
        id_of(sessions, 7, (gh_session_source_t) source, "s", a);
        for (unsigned bit = 0; bit < 64; bit++) {
            id_of(sessions, 7 ^ UINT64_C(1) << bit, (gh_session_source_t) source, "s", b);
            CHECK(memcmp(a, b, sizeof(a)) != 0);
        }
        id_of(sessions, 7, (gh_session_source_t) source, "t", b);
        CHECK(memcmp(a, b, sizeof(a)) != 0);
    }
    id_of(sessions, 7, GH_SESSION_GENERIC, "s", a);
    id_of(sessions, 7, GH_SESSION_GATEHOUSE, "s", b);
    CHECK(memcmp(a, b, sizeof(a)) != 0);
}

/* Which session a request is of, by its label and by the ids in it. */
static void
test_settled(const gh_sessions_t *sessions)
{
    uint8_t            own[GH_SESSION_ID], other[GH_SESSION_ID] = { 9 }, items[GH_SESSION_ID] = { 8 };
    const gh_str_t     request = GH_STR("0193");
    gh_intake_opened_t opened[3] = {
        { .kind = GH_HANDLE_FILE, .session = { (char *) own, sizeof(own) } },
        { .kind = GH_HANDLE_ITEM, .session = { (char *) items, sizeof(items) } },
        { .kind = GH_HANDLE_RESPONSE, .session = { (char *) other, sizeof(other) } },
    };

    /* none, where no id is given out */
    CHECK_INT(parse(CHAT("\"user\":\"u\"")), GH_OK);
    CHECK_INT(gh_intake_session(sessions, 7, request, &intake), GH_OK);
    CHECK_INT(intake.session.source, GH_SESSION_NONE);
    CHECK_INT(gh_intake_ids_session(&intake).len, 0);

    /* else its own */
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, GH_STR("{\"model\":\"m\",\"input\":\"x\"}")), GH_OK);
    CHECK_INT(gh_intake_session(sessions, 7, request, &intake), GH_OK);
    CHECK_INT(intake.session.source, GH_SESSION_REQUEST);
    id_of(sessions, 7, GH_SESSION_REQUEST, "0193", own);
    CHECK_MEM(intake.session.id, own, sizeof(own));
    CHECK(gh_intake_ids_session(&intake).data == (const char *) intake.session.id);

    /* that of a response, else of an item; a file is of none */
    for (unsigned count = 1; count <= 3; count++) {
        intake.opened = opened;
        intake.opened_count = count;
        CHECK_INT(gh_intake_session(sessions, 7, request, &intake), GH_OK);
        CHECK_INT(intake.session.source, count == 1 ? GH_SESSION_REQUEST : GH_SESSION_STATE);
        CHECK_MEM(intake.session.id, count == 1 ? own : count == 2 ? items : other, sizeof(own));
    }

    /* a label in front of it counts, one behind it does not */
    gh_session_offer(&intake.label, GH_SESSION_CACHE_KEY, GH_STR("k"));
    CHECK_INT(gh_intake_session(sessions, 7, request, &intake), GH_OK);
    CHECK_INT(intake.session.source, GH_SESSION_STATE);
    gh_session_offer(&intake.label, GH_SESSION_CLIENT_THREAD, GH_STR("k"));
    CHECK_INT(gh_intake_session(sessions, 7, request, &intake), GH_OK);
    CHECK_INT(intake.session.source, GH_SESSION_CLIENT_THREAD);

    /* what is told again keeps the ids it had */
    intake.operation = GH_OPERATION_RETRIEVE;
    CHECK(gh_intake_ids_session(&intake).data == (const char *) own);
    intake.opened_count = 0;
    CHECK_INT(gh_intake_ids_session(&intake).len, 0);
}

int
main(void)
{
    uint8_t        secret[32];
    gh_sessions_t *sessions;

    gh_heap_init(&heap);
    for (unsigned i = 0; i < sizeof(secret); i++) {
        secret[i] = (uint8_t) i;
    }
    sessions = gh_sessions_new(secret);
    CHECK(sessions != NULL);

    test_headers();
    test_bounds();
    test_turn();
    test_baggage();
    test_bodies();
    test_precedence();
    test_ids(sessions);
    test_settled(sessions);

    gh_sessions_free(sessions);
    gh_heap_free(&heap);

    return check_done("session");
}
