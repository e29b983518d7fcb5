/*
 * The classes a request carries, and the places it is narrowed to. Sources only add classes and only take places away; the one
 * thing that gives less than the default is the residency document's own `assign`.
 */
#include "policy/decide/decide_internal.h"

#include <string.h>

static void
add_class(gh_deciding_t *d, uint32_t number, const char *from)
{
    if (!(d->class_mask >> number & 1)) {
        d->class_mask |= (uint32_t) 1 << number;
        d->class_from[number] = from;
    }
}

static void
add_mask(gh_deciding_t *d, uint32_t mask, const char *from)
{
    for (uint32_t i = 0; i < d->policy->classes.count; i++) {
        if (mask >> i & 1) {
            add_class(d, i, from);
        }
    }
}

static bool
add_named(gh_deciding_t *d, gh_str_t name, const char *from)
{
    for (uint32_t i = 0; i < d->policy->classes.count; i++) {
        if (gh_str_eq(gh_image_str(d->image, d->image->classes[d->policy->classes.first + i]), name)) {
            add_class(d, i, from);
            return true;
        }
    }
    return false;
}

/* Every element of a comma-separated list, an empty one included: a label that says nothing is an unknown label. */
static void
add_label(gh_deciding_t *d, gh_str_t value)
{
    for (;;) {
        const char *comma = value.len == 0 ? NULL : memchr(value.data, ',', value.len);
        size_t      len = comma == NULL ? value.len : (size_t) (comma - value.data);
        gh_str_t    label = gh_str_trim((gh_str_t) { value.data, len });

        if (!add_named(d, label, "label")) {
            if (d->policy->unknown_label == 1) {
                add_class(d, d->policy->classes.count - 1, "label");
            } else if (!d->label_unknown) {
                d->label_unknown = true;
                d->label = label;
            }
        }
        if (comma == NULL) {
            return;
        }
        value = (gh_str_t) { comma + 1, value.len - len - 1 };
    }
}

/* Classes of the key itself. One the policy does not know: deny, whatever `unknown_label` says. */
static void
add_own(gh_deciding_t *d, gh_str_t list)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t      len = comma == NULL ? list.len : (size_t) (comma - list.data);
        gh_str_t    name = gh_str_trim((gh_str_t) { list.data, len });

        if (!add_named(d, name, "key") && !d->label_unknown) {
            d->label_unknown = true;
            d->label = name;
        }
        if (comma == NULL) {
            return;
        }
        list = (gh_str_t) { comma + 1, list.len - len - 1 };
    }
}

int
gh_decide_classes(gh_deciding_t *d)
{
    const gh_image_t        *image = d->image;
    const gh_image_policy_t *policy = d->policy;
    uint32_t                 assigned = 0;
    gh_str_t                 value;

    for (uint32_t i = 0; i < d->pattern_count; i++) {
        assigned |= gh_patterns_assigned(image->patterns_index, d->patterns[i], (uint32_t) (policy - image->policies));
    }
    add_mask(d, assigned, "assign");
    if (assigned == 0) {
        add_class(d, policy->default_class, "default");
    }
    for (uint32_t i = 0; d->input->header != NULL && i < policy->labels.count; i++) {
        gh_str_t name = gh_image_str(image, image->labels[policy->labels.first + i]);

        for (unsigned n = 0; d->input->header(d->input->header_context, name, n, &value); n++) {
            add_label(d, value);
        }
    }
    add_mask(d, d->profile->tenant_classes, "tenant");
    add_mask(d, d->profile->app_classes, "app");
    add_own(d, d->input->identity->own_classes);
    if (d->input->intake->uninspected) {
        add_mask(d, policy->uninspected_mask, "uninspected");
    }

    d->decision->classes = gh_arena_array(d->arena, policy->classes.count, sizeof(*d->decision->classes));
    if (d->decision->classes == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < policy->classes.count; i++) {
        if (d->class_mask >> i & 1) {
            d->class_number[d->decision->class_count] = (uint8_t) i;
            d->decision->classes[d->decision->class_count++] = (gh_class_source_t) {
                gh_image_str(image, image->classes[policy->classes.first + i]), gh_str_from(d->class_from[i]) };
        }
    }
    return GH_OK;
}

static bool
place_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* What the key, token or certificate names itself. A name that the policy does not have, any more, is nowhere. */
static void
narrow_by_own(gh_deciding_t *d, gh_str_t lists)
{
    gh_str_t    list, name;
    gh_places_t places;

    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        gh_places_t all = gh_places_none();

        while (gh_narrowing_next(&list, GH_NARROWING_LIST, &name)) {
            if (gh_image_place(d->image, d->policy, name, &places)) {
                all = gh_places_union(all, places);
            }
        }
        d->narrow = d->narrowed ? gh_places_intersect(d->narrow, all) : all;
        d->narrowed = true;
    }
}

/* One header: the union of what it names. It must name something. */
static void
narrow_by(gh_deciding_t *d, gh_str_t value)
{
    gh_places_t all = gh_places_none(), places;
    bool        named = false;
    size_t      at = 0;

    while (at < value.len) {
        gh_str_t name = { value.data + at, 0 };

        while (at < value.len && !place_separator(value.data[at])) {
            at++;
            name.len++;
        }
        at++;
        if (name.len == 0) {
            continue;
        }
        named = true;
        if (gh_image_place(d->image, d->policy, name, &places)) {
            all = gh_places_union(all, places);
        } else if (!d->place_unknown) {
            d->place_unknown = true;
            d->place = name;
        }
    }
    if (!named && !d->place_unknown) {
        d->place_unknown = true;
        d->place = value;
    }
    d->narrow = d->narrowed ? gh_places_intersect(d->narrow, all) : all;
    d->narrowed = true;
}

int
gh_decide_narrowing(gh_deciding_t *d)
{
    gh_str_t value, sent = GH_STR("");

    if (d->profile->narrowed) {
        d->narrowed = true;
        d->narrow = d->profile->places;
    }
    narrow_by_own(d, d->input->identity->own_places);
    d->narrowed_own = d->narrowed;
    d->narrow_own = d->narrow;
    /* Each header narrows further: a second one never adds places to the first. So does what the body names. */
    for (unsigned n = 0; d->input->header != NULL
         && d->input->header(d->input->header_context, GH_STR("x-gatehouse-places"), n, &value); n++)
    {
        narrow_by(d, value);
        sent = n == 0 ? value : gh_str_format(d->arena, "%.*s; %.*s", GH_STR_ARG(sent), GH_STR_ARG(value));
        if (n > 0 && sent.data == NULL) {
            return GH_ERROR;
        }
    }
    value = d->input->intake->inference_geo;
    if (value.len != 0) {
        narrow_by(d, value);
        sent = sent.len == 0 ? value : gh_str_format(d->arena, "%.*s; %.*s", GH_STR_ARG(sent), GH_STR_ARG(value));
        if (sent.data == NULL) {
            return GH_ERROR;
        }
    }
    d->decision->narrowing = sent;
    return GH_OK;
}
