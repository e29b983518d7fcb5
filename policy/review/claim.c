/* The grammar of claims, word by word; every name is held against the image. */
#include "policy/review/claim.h"

#include <string.h>

#define WORDS_MAX 512
#define NEAR_MAX  10000           /* apps looked at for the nearest spelling */

typedef struct { gh_str_t text; uint32_t column; } word_t;

typedef struct {
    gh_arena_t       *arena;
    const gh_image_t *image;
    gh_claim_t       *claim;
    gh_error_t       *error;
    word_t            words[WORDS_MAX];
    uint32_t          count, at;
} parser_t;

/* ---- words ---- */

static bool
separates(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == ',';
}

static int
split(parser_t *p, gh_str_t text)
{
    for (size_t i = 0; i < text.len; ) {
        size_t begin = i;

        if (separates(text.data[i])) {
            i++;
            continue;
        }
        while (i < text.len && !separates(text.data[i])) {
            i++;
        }
        if (p->count == WORDS_MAX) {
            return gh_error_at(p->error, "claim", "", 1, (uint32_t) begin + 1, "more than %d words", WORDS_MAX);
        }
        p->words[p->count++] = (word_t) { { text.data + begin, i - begin }, (uint32_t) begin + 1 };
    }
    return GH_OK;
}

static bool
next_is(const parser_t *p, const char *word)
{
    return p->at < p->count && gh_str_is(p->words[p->at].text, word);
}

static bool
take(parser_t *p, const char *word)
{
    bool there = next_is(p, word);

    p->at += there;
    return there;
}

/* The next word is none of those expected. known: for the nearest spelling. */
static int
unexpected(parser_t *p, const char *expected, const gh_str_t *known, size_t count)
{
    gh_str_t near = GH_STR("");

    if (p->at >= p->count) {
        return gh_error_at(p->error, "claim", "", 1, (uint32_t) p->claim->text.len + 1, "it ends where %s is expected", expected);
    }
    near = gh_str_nearest(p->words[p->at].text, known, count);
    for (size_t i = 0; i < count; i++) {
        near = gh_str_eq_nocase(known[i], p->words[p->at].text) ? known[i] : near;
    }
    return gh_error_at(p->error, "claim", "", 1, p->words[p->at].column, "\"%.*s\" is not %s%s%.*s%s",
        GH_STR_ARG(p->words[p->at].text), expected, near.len ? "; did you mean \"" : "", GH_STR_ARG(near), near.len ? "\"?" : "");
}

static int
no_memory(parser_t *p)
{
    return gh_error_set(p->error, "out_of_memory", "no memory for a claim");
}

/* ---- classes ---- */

static const gh_str_t relation_words[] = {
    { "process", 7 }, { "store", 5 }, { "operator", 8 }, { "any", 3 }, { "outside", 7 }, { "in", 2 }, { "on", 2 }, { "within", 6 }
};

static bool
is_relation(gh_str_t word)
{
    for (size_t i = 0; i < sizeof(relation_words) / sizeof(relation_words[0]); i++) {
        if (gh_str_eq(word, relation_words[i])) {
            return true;
        }
    }
    return false;
}

/* Classes of all policies, then the words that may follow a class. */
static gh_str_t *
known_classes(parser_t *p, size_t *count)
{
    const gh_image_t *image = p->image;
    size_t            more = sizeof(relation_words) / sizeof(relation_words[0]);
    gh_str_t         *known = gh_arena_array(p->arena, image->count[GH_SECTION_CLASS] + more + 1, sizeof(*known));

    *count = 0;
    if (known == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_CLASS]; i++) {
        known[(*count)++] = gh_image_str(image, image->classes[i]);
    }
    known[(*count)++] = GH_STR("anything");
    memcpy(known + *count, relation_words, sizeof(relation_words));
    *count += more;
    return known;
}

static bool
is_class(const gh_image_t *image, gh_str_t word)
{
    for (uint32_t i = 0; i < image->count[GH_SECTION_CLASS]; i++) {
        if (gh_str_eq(gh_image_str(image, image->classes[i]), word)) {
            return true;
        }
    }
    return false;
}

static int
parse_classes(parser_t *p)
{
    gh_claim_t *claim = p->claim;
    size_t      count;
    gh_str_t   *known = known_classes(p, &count);

    claim->classes = gh_arena_array(p->arena, p->count + 1, sizeof(*claim->classes));
    if (known == NULL || claim->classes == NULL) {
        return no_memory(p);
    }
    if (take(p, "anything")) {
        return GH_OK;
    }
    while (p->at < p->count && (claim->class_count == 0 || !is_relation(p->words[p->at].text) || is_class(p->image, p->words[p->at].text))) {
        if (claim->class_count > 0 && (take(p, "or") || take(p, "and"))) {
            continue;
        }
        if (!is_class(p->image, p->words[p->at].text)) {
            return unexpected(p, claim->class_count == 0 ? "a class of any policy" : "a class, a fact, \"outside\", \"in\" or \"on\"", known,
                count);
        }
        claim->classes[claim->class_count++] = p->words[p->at++].text;
    }
    return claim->class_count > 0 ? GH_OK : unexpected(p, "a class of any policy", known, count);
}

static int
parse_relation(parser_t *p, bool always)
{
    gh_claim_t *claim = p->claim;
    uint32_t    any = 1u << GH_REACH_PROCESS | 1u << GH_REACH_STORE | 1u << GH_REACH_OPERATOR;
    bool        said = true;

    if (take(p, "process")) {
        claim->facts = 1u << GH_REACH_PROCESS;
    } else if (take(p, "store")) {
        claim->facts = 1u << GH_REACH_STORE;
    } else if (take(p, "operator")) {
        claim->facts = 1u << GH_REACH_OPERATOR;
    } else {
        said = take(p, "any");
        claim->facts = any;
    }
    if (always) {
        return take(p, "within") ? GH_OK : unexpected(p, "\"within\"", &(gh_str_t) { "within", 6 }, 1);
    }
    if (take(p, "outside")) {
        claim->relation = GH_CLAIM_OUTSIDE;
    } else if (take(p, "in")) {
        claim->relation = GH_CLAIM_IN;
    } else if (!said && take(p, "on")) {
        claim->relation = GH_CLAIM_ON;
        claim->facts = 0;
    } else {
        return unexpected(p, said ? "\"outside\" or \"in\"" : "a fact, \"outside\", \"in\" or \"on\"", relation_words,
            sizeof(relation_words) / sizeof(relation_words[0]));
    }
    return GH_OK;
}

/* ---- places ---- */

static bool
named_places(const gh_image_t *image, gh_range_t range, gh_str_t name, gh_places_t *places)
{
    for (uint32_t i = 0; i < range.count; i++) {
        if (gh_str_eq(gh_image_str(image, image->places[range.first + i].name), name)) {
            *places = image->places[range.first + i].places;
            return true;
        }
    }
    return false;
}

/* As rules of this policy mean it. */
static bool
place_of(const gh_image_t *image, const gh_image_policy_t *policy, gh_str_t name, gh_places_t *places)
{
    int country = gh_country_index(name);

    if (country >= 0) {
        *places = gh_places_none();
        gh_places_add(places, country);
        return true;
    }
    return (policy != NULL && named_places(image, policy->places, name, places))
        || named_places(image, image->header->sets, name, places);
}

static int
unknown_place(parser_t *p, const gh_image_policy_t *policy)
{
    const gh_image_t *image = p->image;
    gh_str_t         *known = gh_arena_array(p->arena, image->count[GH_SECTION_PLACE] + 2, sizeof(*known));
    gh_str_t          word = p->words[p->at].text;
    gh_places_t       places;
    uint32_t          count = 0;
    char              code[2];

    for (uint32_t i = 0; i < image->count[GH_SECTION_POLICY]; i++) {
        if (named_places(image, image->policies[i].places, word, &places)) {
            return gh_error_at(p->error, "claim", "", 1, p->words[p->at].column,
                "\"%.*s\" is a place of policy \"%.*s\", and the claim speaks of policy \"%.*s\" too: say for which tenants it is",
                GH_STR_ARG(word), GH_STR_ARG(gh_image_str(image, image->policies[i].name)), GH_STR_ARG(gh_image_str(image, policy->name)));
        }
    }
    if (known == NULL) {
        return no_memory(p);
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_PLACE]; i++) {
        known[count++] = gh_image_str(image, image->places[i].name);
    }
    if (word.len == 2) {
        gh_str_t upper = { code, 2 };

        code[0] = (char) (word.data[0] & ~0x20);
        code[1] = (char) (word.data[1] & ~0x20);
        if (gh_country_index(upper) >= 0) {
            known[count++] = upper;
        }
    }
    return unexpected(p, "a country code, a set of the facts or a place of the policy", known, count);
}

/* Does a pattern cover the app, or keys of it? */
static bool
covers_app(gh_str_t pattern, gh_str_t path)
{
    bool open = pattern.data[pattern.len - 1] == '*';

    return gh_pattern_covers(pattern, path)
        || (pattern.len - open > path.len && pattern.data[path.len] == '/' && memcmp(pattern.data, path.data, path.len) == 0);
}

static bool
covers_any_key(const gh_claim_t *claim, gh_str_t path)
{
    for (uint32_t i = 0; i < claim->tenant_count; i++) {
        if (covers_app(claim->tenants[i], path)) {
            return true;
        }
    }
    return claim->tenant_count == 0;
}

/* Is the policy one that the claim speaks of? */
static bool
concerned(const parser_t *p, const gh_image_policy_t *policy)
{
    const gh_image_t *image = p->image;

    if (policy->guard || (p->claim->class_count > 0 && gh_claim_classes(p->claim, image, policy) == 0)) {
        return false;
    }
    for (uint32_t i = 0; p->claim->tenant_count > 0 && i < image->count[GH_SECTION_APP]; i++) {
        const gh_image_app_t *app = &image->apps[i];

        if (image->profiles[app->profile].policy == (int32_t) (policy - image->policies)
            && covers_any_key(p->claim, gh_image_str(image, app->path)))
        {
            return true;
        }
    }
    return p->claim->tenant_count == 0;
}

static bool
ends_places(const parser_t *p)
{
    return p->at >= p->count || next_is(p, "for") || next_is(p, "except");
}

/* The words from..to as places of one policy (NULL: of none). */
static int
resolve(parser_t *p, uint32_t from, uint32_t to, const gh_image_policy_t *policy, gh_places_t *all)
{
    bool minus = false, needed = true;

    *all = gh_places_none();
    for (p->at = from; p->at < to; p->at++) {
        gh_places_t places;
        gh_str_t    word = p->words[p->at].text;

        if (!needed && (gh_str_is(word, "plus") || gh_str_is(word, "and") || gh_str_is(word, "or"))) {
            needed = true;
            minus = minus && !gh_str_is(word, "plus");
            continue;
        }
        if (!needed && gh_str_is(word, "minus")) {
            needed = minus = true;
            continue;
        }
        if (!place_of(p->image, policy, word, &places)) {
            return unknown_place(p, policy);
        }
        *all = minus ? gh_places_minus(*all, places) : gh_places_union(*all, places);
        needed = false;
    }
    return needed ? unexpected(p, "a place", NULL, 0) : GH_OK;
}

static int
resolve_all(parser_t *p, uint32_t from, uint32_t to)
{
    gh_claim_t *claim = p->claim;
    bool        any = false;

    claim->places = gh_arena_array(p->arena, p->image->count[GH_SECTION_POLICY] + 1, sizeof(*claim->places));
    if (claim->places == NULL) {
        return no_memory(p);
    }
    for (uint32_t i = 0; i < p->image->count[GH_SECTION_POLICY]; i++) {
        if (concerned(p, &p->image->policies[i])) {
            any = true;
            if (resolve(p, from, to, &p->image->policies[i], &claim->places[i]) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return any ? GH_OK : resolve(p, from, to, NULL, &claim->places[p->image->count[GH_SECTION_POLICY]]);
}

static int
keep_places(parser_t *p, uint32_t from, uint32_t to)
{
    gh_claim_t *claim = p->claim;

    if (from == to) {
        return unexpected(p, "a place", NULL, 0);
    }
    claim->places_text = (gh_str_t) { p->words[from].text.data,
        (size_t) (p->words[to - 1].text.data - p->words[from].text.data) + p->words[to - 1].text.len };
    claim->place_names = gh_arena_array(p->arena, to - from, sizeof(*claim->place_names));
    if (claim->place_names == NULL) {
        return no_memory(p);
    }
    for (uint32_t i = from; i < to; i++) {
        gh_str_t word = p->words[i].text;

        if (gh_str_is(word, "minus")) {
            claim->place_count = 0;
            return GH_OK;
        }
        if (!gh_str_is(word, "plus") && !gh_str_is(word, "and") && !gh_str_is(word, "or")) {
            claim->place_names[claim->place_count++] = word;
        }
    }
    return GH_OK;
}

/* ---- deployments, tenants ---- */

static int
parse_deployments(parser_t *p)
{
    const gh_image_t *image = p->image;
    gh_claim_t       *claim = p->claim;
    uint32_t          count = image->count[GH_SECTION_DEPLOYMENT];
    gh_str_t         *known = gh_arena_array(p->arena, count, sizeof(*known));

    claim->deployments = gh_arena_array(p->arena, p->count + 1, sizeof(*claim->deployments));
    if (known == NULL || claim->deployments == NULL) {
        return no_memory(p);
    }
    for (uint32_t i = 0; i < count; i++) {
        known[i] = gh_image_str(image, image->deployments[i].id);
    }
    while (!ends_places(p)) {
        bool found = false;

        if (claim->deployment_count > 0 && (take(p, "or") || take(p, "and"))) {
            continue;
        }
        for (uint32_t i = 0; i < count && !found; i++) {
            found = gh_str_eq(known[i], p->words[p->at].text);
        }
        if (!found) {
            return unexpected(p, "a deployment of fleet/1", known, count);
        }
        claim->deployments[claim->deployment_count++] = p->words[p->at++].text;
    }
    return claim->deployment_count > 0 ? GH_OK : unexpected(p, "a deployment of fleet/1", NULL, 0);
}

static bool
covers_something(const gh_image_t *image, gh_str_t pattern)
{
    for (uint32_t i = 0; i < image->count[GH_SECTION_APP]; i++) {
        if (covers_app(pattern, gh_image_str(image, image->apps[i].path))) {
            return true;
        }
    }
    return false;
}

static int
nothing_covered(parser_t *p)
{
    const gh_image_t *image = p->image;
    uint32_t          apps = image->count[GH_SECTION_APP] < NEAR_MAX ? image->count[GH_SECTION_APP] : NEAR_MAX, count = 0;
    gh_str_t         *known = gh_arena_array(p->arena, (size_t) apps * 3, sizeof(*known));

    for (uint32_t i = 0; known != NULL && i < apps; i++) {
        gh_str_t path = gh_image_str(image, image->apps[i].path);

        known[count++] = path;
        for (size_t k = path.len; k > 0; k--) {
            if (path.data[k - 1] == '/') {
                known[count++] = (gh_str_t) { path.data, k - 1 };
            }
        }
    }
    return unexpected(p, "a pattern that covers an app of tenants/1", known, known == NULL ? 0 : count);
}

static int
parse_tenants(parser_t *p)
{
    gh_claim_t *claim = p->claim;

    claim->tenants = gh_arena_array(p->arena, p->count + 1, sizeof(*claim->tenants));
    if (claim->tenants == NULL) {
        return no_memory(p);
    }
    while (p->at < p->count && !next_is(p, "except")) {
        if (claim->tenant_count > 0 && (take(p, "or") || take(p, "and"))) {
            continue;
        }
        if (!covers_something(p->image, p->words[p->at].text)) {
            return nothing_covered(p);
        }
        claim->tenants[claim->tenant_count++] = p->words[p->at++].text;
    }
    return claim->tenant_count > 0 ? GH_OK : unexpected(p, "a tenant", NULL, 0);
}

static int
parse_tail(parser_t *p)
{
    static const gh_str_t tail[] = { { "for", 3 }, { "except", 6 } };

    if (take(p, "for") && parse_tenants(p) != GH_OK) {
        return GH_ERROR;
    }
    if (take(p, "except")) {
        if (!take(p, "unlisted") || !take(p, "features")) {
            return unexpected(p, "\"unlisted features\"", NULL, 0);
        }
        p->claim->listed_only = true;
    }
    return p->at == p->count ? GH_OK : unexpected(p, "\"for\", \"except\" or the end", tail, 2);
}

int
gh_claim_parse(gh_arena_t *arena, const gh_image_t *image, gh_str_t text, gh_claim_t *claim, gh_error_t *error)
{
    static const gh_str_t begins[] = { { "never", 5 }, { "always", 6 } };
    parser_t              p = { .arena = arena, .image = image, .claim = claim, .error = error };
    uint32_t              from, to;
    bool                  always;

    *claim = (gh_claim_t) { .text = text };
    if (split(&p, text) != GH_OK) {
        return GH_ERROR;
    }
    always = next_is(&p, "always");
    if (!always && !next_is(&p, "never")) {
        return unexpected(&p, "\"never\" or \"always\"", begins, 2);
    }
    p.at++;
    if (parse_classes(&p) != GH_OK || parse_relation(&p, always) != GH_OK) {
        return GH_ERROR;
    }
    if (claim->relation == GH_CLAIM_ON) {
        return parse_deployments(&p) == GH_OK ? parse_tail(&p) : GH_ERROR;
    }
    from = p.at;
    while (!ends_places(&p)) {
        p.at++;
    }
    to = p.at;
    if (keep_places(&p, from, to) != GH_OK || parse_tail(&p) != GH_OK) {
        return GH_ERROR;
    }
    return resolve_all(&p, from, to);
}

/* ---- what it says of one use ---- */

uint32_t
gh_claim_classes(const gh_claim_t *claim, const gh_image_t *image, const gh_image_policy_t *policy)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < policy->classes.count; i++) {
        gh_str_t name = gh_image_str(image, image->classes[policy->classes.first + i]);

        mask |= (uint32_t) (claim->class_count == 0) << i;
        for (uint32_t k = 0; k < claim->class_count; k++) {
            mask |= (uint32_t) gh_str_eq(claim->classes[k], name) << i;
        }
    }
    return mask;
}

bool
gh_claim_covers(const gh_claim_t *claim, gh_str_t path)
{
    for (uint32_t i = 0; i < claim->tenant_count; i++) {
        if (gh_pattern_covers(claim->tenants[i], path)) {
            return true;
        }
    }
    return claim->tenant_count == 0;
}

bool
gh_claim_broken(const gh_claim_t *claim, uint32_t policy, gh_str_t deployment, const gh_reached_t *reached, gh_reached_t *offending)
{
    bool broken = false;

    *offending = (gh_reached_t) { 0 };
    for (uint32_t i = 0; claim->relation == GH_CLAIM_ON && i < claim->deployment_count; i++) {
        if (gh_str_eq(claim->deployments[i], deployment)) {
            offending->of[GH_REACH_PROCESS] = reached->of[GH_REACH_PROCESS];
            return true;
        }
    }
    for (int kind = 0; kind < GH_REACHES; kind++) {
        gh_places_t places = reached->of[kind];

        if (!(claim->facts >> kind & 1) || gh_places_empty(places)) {
            continue;
        }
        if (gh_places_has_unknown(places)) {
            offending->of[kind] = gh_places_unknown();
        } else if (claim->relation == GH_CLAIM_OUTSIDE) {
            offending->of[kind] = gh_places_minus(places, claim->places[policy]);
        } else {
            offending->of[kind] = gh_places_intersect(places, claim->places[policy]);
        }
        broken = broken || !gh_places_empty(offending->of[kind]);
    }
    return broken;
}
