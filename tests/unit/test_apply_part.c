/* An edit of a few tenants/1 documents gives, byte for byte, the revision that reading every document gives, or the same errors. */
#include "tests/unit/store_world.h"

#include "policy/compile/apply.h"
#include "policy/store/store_internal.h"

#define ORGS    3
#define TENANTS 8
#define FILES   5
#define EDITS   300

static uint64_t random_state = 88172645463325252u;

static uint32_t
next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t) (random_state >> 11) % below;
}

/* ---- a world that edits change ---- */

typedef struct {
    int8_t  file, again;              /* that gives the tenant; -1: none. again: a second one, which is an error */
    uint8_t apps, classes, models, places;
    uint8_t limit, app_limit, key_limit, max_output;   /* amounts; 0: none */
} tenant_t;

typedef struct {
    tenant_t tenants[ORGS][TENANTS];
    uint8_t  said[ORGS][FILES];       /* of all tenants: 0 nothing, 1 and 2 models, 3 classes, 4 both, 5 to 8 limits */
    uint8_t  renamed[FILES], fleet, forbid;
} state_t;

static const char fleet[2][1400] = {
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"}],\"models\":{\"gpt\":{},\"llama\":{}},"
    "\"deployments\":[{\"id\":\"se\",\"backend\":\"b\",\"serves\":[\"o0\",\"o1\",\"o2\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"SE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false,"
    WORLD_EVIDENCE ",\"models\":{\"gpt\":{\"upstream\":\"gpt-se\"},\"llama\":{\"upstream\":\"l\"}}}]}",
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"}],\"models\":{\"gpt\":{},\"llama\":{},\"emb\":{}},"
    "\"deployments\":[{\"id\":\"de\",\"backend\":\"b\",\"serves\":[\"o0\",\"o1\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"DE\",\"training\":false,"
    WORLD_EVIDENCE ",\"models\":{\"gpt\":{\"upstream\":\"gpt-de\"},\"emb\":{\"upstream\":\"e\"}}}]}" };

static gh_str_t
residency(gh_arena_t *arena, int org, const state_t *state)
{
    static const char *const forbids[] = { "", "o%d/t1", "o%d/t2/a0", "o%d/t*" };
    gh_str_t                 pattern = state->forbid == 0 || org != state->forbid % ORGS ? GH_STR("")
                             : gh_str_format(arena, forbids[state->forbid], org), forbid = GH_STR("");

    if (pattern.len > 0) {
        forbid = gh_str_format(arena, ",\"forbid\":[{\"id\":\"f\",\"why\":\"w\",\"tenants\":[\"%.*s\"],\"process\":{\"touches\":[\"US\"]}}]",
            GH_STR_ARG(pattern));
    }
    return gh_str_format(arena, "{\"kind\":\"residency/1\",\"name\":\"o%d\",\"applies_to\":\"o%d\",\"facts\":\"regions/2026-11-21\","
        "\"classes\":[\"internal\",\"secret\"],\"classify\":{\"default\":\"internal\"},"
        "\"allow\":[{\"id\":\"eu\",\"why\":\"w\",\"classes\":[\"internal\",\"secret\"],\"process\":{\"within\":[\"EU\"]},"
        "\"store\":\"nothing\"}]%.*s}", org, org, GH_STR_ARG(forbid));
}

static gh_str_t
limit_text(gh_arena_t *arena, const char *member, const char *per, uint8_t amount)
{
    return gh_str_format(arena, ",\"%s\":[{\"dimension\":\"requests\",\"per\":\"%s\",\"amount\":%u,\"class\":\"rate\"}]", member, per,
        amount);
}

static gh_str_t
tenant_text(gh_arena_t *arena, int number, const tenant_t *tenant)
{
    gh_str_t apps = GH_STR(""), limits = tenant->limit ? limit_text(arena, "limits", "second", tenant->limit) : GH_STR("");

    if (tenant->max_output != 0) {
        limits = gh_str_format(arena, "%.*s,\"max_output\":%u", GH_STR_ARG(limits), tenant->max_output);
    }
    for (int a = 0; a < 3; a++) {
        if (tenant->apps >> a & 1) {
            gh_str_t own = a == 0 && tenant->app_limit ? limit_text(arena, "limits", "day", tenant->app_limit) : GH_STR("");
            gh_str_t keys = a == 0 && tenant->key_limit ? limit_text(arena, "key_limits", "minute", tenant->key_limit) : GH_STR("");

            apps = gh_str_format(arena, "%.*s%s{\"id\":\"a%d\"%s%.*s%.*s}", GH_STR_ARG(apps), apps.len > 0 ? "," : "", a,
                a == 2 ? ",\"classes\":[\"secret\"]" : "", GH_STR_ARG(own), GH_STR_ARG(keys));
        }
    }
    return gh_str_format(arena, "{\"id\":\"t%d\"%.*s%s%s%s%s%.*s%s}", number, GH_STR_ARG(limits),
        tenant->classes ? ",\"classes\":[\"secret\"]" : "", tenant->models ? ",\"models\":[\"gpt\"]" : "", tenant->places ? ",\"places\":[\"SE\"]" : "", apps.len > 0 ? ",\"apps\":[" : "",
        GH_STR_ARG(apps), apps.len > 0 ? "]" : "");
}

#define ORG_LIMIT(amount) ",\"limits\":[{\"dimension\":\"micro-dollars\",\"amount\":" amount ",\"class\":\"budget\"}]"

static gh_str_t
organisation_text(gh_arena_t *arena, const state_t *state, int org, int file)
{
    static const char *const said[] = { "", ",\"models\":[\"gpt\",\"llama\"]", ",\"models\":[\"llama\"]", ",\"classes\":[\"secret\"]",
                                        ",\"models\":[\"gpt\",\"llama\"],\"classes\":[\"secret\"]", ORG_LIMIT("7"),
                                        ORG_LIMIT("9"), ",\"max_output\":3", ",\"key_limits\":[{\"dimension\":\"requests\",\"per\":\"minute\",\"amount\":60,\"class\":\"rate\"}]" };
    gh_str_t                 tenants = GH_STR("");

    for (int t = 0; t < TENANTS; t++) {
        const tenant_t *tenant = &state->tenants[org][t];

        if (tenant->file == file || tenant->again == file) {
            gh_str_t text = tenant_text(arena, t, tenant);

            tenants = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(tenants), tenants.len > 0 ? "," : "", GH_STR_ARG(text));
        }
    }
    return tenants.len == 0 ? tenants
        : gh_str_format(arena, "{\"id\":\"o%d\"%s,\"tenants\":[%.*s]}", org, said[state->said[org][file]], GH_STR_ARG(tenants));
}

static size_t
documents_of(gh_arena_t *arena, const state_t *state, gh_document_source_t sources[1 + ORGS + FILES])
{
    size_t count = 0;

    sources[count++] = (gh_document_source_t) { GH_STR("fleet.json"), gh_str_from(fleet[state->fleet]) };
    for (int o = 0; o < ORGS; o++) {
        sources[count++] = (gh_document_source_t) { gh_str_format(arena, "residency-%d.json", o), residency(arena, o, state) };
    }
    for (int f = 0; f < FILES; f++) {
        gh_str_t list = GH_STR("");

        for (int o = 0; o < ORGS; o++) {
            gh_str_t text = organisation_text(arena, state, o, f);

            list = text.len == 0 ? list
                : gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(list), list.len > 0 ? "," : "", GH_STR_ARG(text));
        }
        if (list.len > 0) {
            sources[count++] = (gh_document_source_t) {
                gh_str_format(arena, "%s-%d.json", state->renamed[f] ? "customers" : "tenants", f),
                gh_str_format(arena, "{\"kind\":\"tenants/1\",\"organisations\":[%.*s]}", GH_STR_ARG(list)) };
        }
    }
    return count;
}

static void
random_tenant(tenant_t *tenant)
{
    *tenant = (tenant_t) { (int8_t) next_random(FILES), -1, (uint8_t) next_random(8), next_random(4) == 0, next_random(4) == 0,
                           next_random(6) == 0, (uint8_t) (next_random(2) * next_random(4)), (uint8_t) (next_random(2) * next_random(4)),
                           (uint8_t) (next_random(2) * next_random(4)), (uint8_t) (next_random(3) == 0 ? 1 + next_random(5) : 0) };
}

/* Mostly one tenant; now and then something that the short way cannot do, or that is wrong. */
static void
change(state_t *state)
{
    int       org = (int) next_random(ORGS);
    tenant_t *tenant = &state->tenants[org][next_random(TENANTS)];

    switch (next_random(16)) {
    case 0:
        tenant->file = -1;
        break;
    case 1:
        state->said[org][next_random(FILES)] = (uint8_t) next_random(9);
        break;
    case 2:
        state->renamed[next_random(FILES)] ^= 1;
        break;
    case 3:
        tenant->again = next_random(3) != 0 ? (int8_t) next_random(FILES) : -1;
        break;
    case 4:
        state->forbid = (uint8_t) next_random(4);
        break;
    case 5:
        state->fleet = next_random(8) == 0;
        break;
    case 6:
        memset(state->said[org], next_random(3) == 0 ? 1 : 5 + (int) next_random(4), sizeof(state->said[org]));
        break;
    case 8:
    case 9:
        tenant->limit = (uint8_t) next_random(4);
        tenant->app_limit = (uint8_t) next_random(4);
        tenant->max_output = (uint8_t) next_random(6);
        break;
    case 7:
        memset(state->said[org], 0, sizeof(state->said[org]));
        break;
    default:
        random_tenant(tenant);
        break;
    }
}

/* ---- one edit, both ways ---- */

typedef struct {
    int      rc;
    size_t   unread;
    gh_str_t errors, warnings;
} outcome_t;

static outcome_t
apply(gh_store_t *store, gh_arena_t *arena, const gh_document_source_t *sources, size_t count, gh_apply_how_t how)
{
    gh_apply_t       edit = { .sources = sources, .source_count = count, .author = GH_STR("alice"), .now_ms = WORLD_NOW, .how = how };
    gh_apply_ready_t ready = { 0 };
    gh_report_t      report;
    gh_error_t       error = { 0 };
    uint64_t         revision;
    outcome_t        outcome = { GH_ERROR, 0, GH_STR(""), GH_STR("") };

    gh_report_init(&report, arena);
    if (gh_apply_prepare(store, arena, &edit, &ready, &report) == GH_OK) {
        outcome.rc = gh_apply_commit(store, &edit, &ready, &revision, &error);
        if (outcome.rc != GH_OK) {
            fprintf(stderr, "commit: %s: %s\n", error.code, error.text);
        }
    }
    outcome.unread = ready.unread;
    for (size_t i = 0; i < report.count; i++) {
        const gh_error_t *e = &report.items[i].error;

        if (report.items[i].severity == GH_SEVERITY_ERROR) {
            outcome.errors = gh_str_format(arena, "%.*s%s:%u:%u: %s\n", GH_STR_ARG(outcome.errors), e->source, e->line, e->column, e->text);
        }
    }
    return outcome;
}

typedef struct { gh_arena_t *arena; gh_str_t text; } dump_t;

static int
dump_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    dump_t *dump = context;
    char    hex[1024];
    size_t  len = value.len < sizeof(hex) / 2 ? value.len : sizeof(hex) / 2;

    (void) error;
    gh_hex(value.data, len, hex);
    dump->text = gh_str_format(dump->arena, "%.*s%.*s %zu %.*s\n", GH_STR_ARG(dump->text), (int) key.len, (const char *) key.data,
        value.len, (int) (2 * len), hex);
    return 0;
}

/* Every record of what is listed, with its MAC. */
static gh_str_t
dump(gh_store_t *store, gh_arena_t *arena)
{
    dump_t     all = { arena, GH_STR("") };
    gh_error_t error;

    if (gh_store_begin(store, WORLD_NOW, &error) == GH_OK) {
        CHECK_INT(gh_pages_each(&store->pages, &store->tree[GH_DB_APP], (gh_bytes_t) { "", 0 }, dump_entry, &all, &error), GH_OK);
        gh_store_end(store);
    }
    return all.text;
}

static void
compare(gh_store_t *stores[2], gh_arena_t *arena, int edit)
{
    gh_image_t *images[2];
    gh_error_t  error;
    gh_str_t    dumps[2];

    for (int i = 0; i < 2; i++) {
        if (!CHECK_INT(gh_store_current(stores[i], WORLD_NOW, &images[i], &error), GH_OK)) {
            return;
        }
        dumps[i] = dump(stores[i], arena);
    }
    if (!CHECK(images[0]->length == images[1]->length
            && memcmp(images[0]->bytes + GH_ENVELOPE_SIZE, images[1]->bytes + GH_ENVELOPE_SIZE, images[0]->length - GH_ENVELOPE_SIZE) == 0))
    {
        fprintf(stderr, "edit %d: images differ\n", edit);
    }
    if (!CHECK(gh_str_eq(dumps[0], dumps[1]))) {
        fprintf(stderr, "edit %d: part\n%.*swhole\n%.*s", edit, GH_STR_ARG(dumps[0]), GH_STR_ARG(dumps[1]));
    }
}

/* ---- what a key is held to ---- */

static void
expect(gh_limits_t *limits, gh_level_t level, gh_dimension_t dimension, gh_per_t per, gh_limit_class_t class, uint64_t amount)
{
    if (amount != 0) {
        limits->items[limits->count++] = (gh_limit_t) { .level = (uint8_t) level, .dimension = (uint8_t) dimension, .per = (uint8_t) per,
                                                        .limit_class = (uint8_t) class, .amount = amount };
    }
}

/* Of an app, straight from the world: what its organisation says stands in any file that gives the organisation. */
static gh_limits_t
expected(const state_t *state, int org, int t, int a)
{
    const tenant_t *tenant = &state->tenants[org][t];
    uint8_t         of_key = a == 0 ? tenant->key_limit : 0;
    uint32_t        said = 0;
    gh_limits_t     limits;

    memset(&limits, 0, sizeof(limits));
    for (int k = 0; k < TENANTS; k++) {
        int file = state->tenants[org][k].file;

        if (file >= 0 && state->said[org][file] >= 5) {
            said |= 1u << state->said[org][file];
        }
    }
    expect(&limits, GH_LEVEL_ORGANISATION, GH_COUNT_MICRO_DOLLARS, GH_PER_NONE, GH_LIMIT_BUDGET, said >> 5 & 1 ? 7 : said >> 6 & 1 ? 9 : 0);
    expect(&limits, GH_LEVEL_TENANT, GH_COUNT_REQUESTS, GH_PER_SECOND, GH_LIMIT_RATE, tenant->limit);
    expect(&limits, GH_LEVEL_APP, GH_COUNT_REQUESTS, GH_PER_DAY, GH_LIMIT_RATE, a == 0 ? tenant->app_limit : 0);
    expect(&limits, GH_LEVEL_KEY, GH_COUNT_REQUESTS, GH_PER_MINUTE, GH_LIMIT_RATE, of_key != 0 ? of_key : said >> 8 & 1 ? 60 : 0);
    limits.max_output = said >> 7 & 1 ? 3 : 0;
    if (tenant->max_output != 0 && (limits.max_output == 0 || tenant->max_output < limits.max_output)) {
        limits.max_output = tenant->max_output;
    }
    return limits;
}

static unsigned
check_limits(gh_store_t *store, gh_arena_t *arena, const state_t *state)
{
    unsigned with = 0;

    for (int o = 0; o < ORGS; o++) {
        for (int t = 0; t < TENANTS; t++) {
            for (int a = 0; a < 3; a++) {
                gh_identity_t identity;
                gh_limits_t   limits = expected(state, o, t, a);
                gh_error_t    error;

                memset(&identity, 0, sizeof(identity));
                identity.path = gh_str_format(arena, "o%d/t%d/a%d", o, t, a);
                if (state->tenants[o][t].file < 0 || !(state->tenants[o][t].apps >> a & 1)) {
                    continue;
                }
                CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &identity, NULL, &error), GH_OK);
                CHECK_INT(identity.limits.count, limits.count);
                CHECK_INT(identity.limits.max_output, limits.max_output);
                CHECK(memcmp(identity.limits.items, limits.items, sizeof(limits.items)) == 0);
                with += limits.count != 0;
            }
        }
    }
    return with;
}

static void
test_same(gh_store_t *stores[2])
{
    state_t  state, tried;
    unsigned applied = 0, refused = 0, part = 0, limited = 0;

    memset(&state, 0, sizeof(state));
    for (int o = 0; o < ORGS; o++) {
        for (int t = 0; t < TENANTS; t++) {
            random_tenant(&state.tenants[o][t]);
        }
    }
    for (int edit = 0; edit < EDITS && check_failed == 0; edit++) {
        gh_document_source_t sources[1 + ORGS + FILES];
        outcome_t            outcomes[2];
        gh_heap_t            heap;
        size_t               count;

        gh_heap_init(&heap);
        tried = state;
        for (uint32_t n = edit == 0 ? 0 : 1 + next_random(2); n > 0; n--) {
            change(&tried);
        }
        count = documents_of(&heap.arena, &tried, sources);
        outcomes[0] = apply(stores[0], &heap.arena, sources, count, GH_APPLY_PART);
        outcomes[1] = apply(stores[1], &heap.arena, sources, count, GH_APPLY_WHOLE);
        CHECK_INT(outcomes[0].rc, outcomes[1].rc);
        CHECK_INT(outcomes[1].unread, 0);
        if (!CHECK(gh_str_eq(outcomes[0].errors, outcomes[1].errors))) {
            fprintf(stderr, "edit %d: part\n%.*swhole\n%.*s", edit, GH_STR_ARG(outcomes[0].errors), GH_STR_ARG(outcomes[1].errors));
        }
        if (outcomes[1].rc == GH_OK) {
            state = tried;
            applied++;
            part += outcomes[0].unread > 0;
            compare(stores, &heap.arena, edit);
            limited += check_limits(stores[0], &heap.arena, &state);
        } else {
            refused++;
        }
        gh_heap_free(&heap);
    }
    printf("apply part: %u edits applied, %u of them by a part, %u refused, %u looks at limits\n", applied, part, refused, limited);
    CHECK(applied > EDITS / 2 && part > EDITS / 3 && refused > EDITS / 30 && limited > EDITS);
}

int
main(void)
{
    char        homes[2][sizeof(store_home)];
    gh_store_t *stores[2] = { NULL, NULL };
    gh_error_t  error;

    for (int i = 0; i < 2; i++) {
        if (!store_make()) {
            fprintf(stderr, "no store can be made\n");
            return 1;
        }
        memcpy(homes[i], store_home, sizeof(store_home));
        stores[i] = store_open(true, &error);
    }
    if (CHECK(stores[0] != NULL && stores[1] != NULL)) {
        test_same(stores);
    }
    for (int i = 0; i < 2; i++) {
        gh_store_close(stores[i]);
        memcpy(store_home, homes[i], sizeof(store_home));
        store_remove();
    }
    return check_done("apply part");
}
