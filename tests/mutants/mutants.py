"""The seeded faults: each a small edit of the source, what it breaks, and the checks that must notice.

An edit is (file, old text, new text); the old text stands in the file exactly once. Killers are those of run.py:

    unit:NAME            tests/unit/NAME.c
    oracle               random worlds against the reference (tests/oracle/test_oracle.py)
    findings             what documents are warned of, against brute force (tests/oracle/test_findings.py)
    laws                 what must hold for every world (tests/laws)
    cli:FILE -k WORDS    tests of the command, by pytest
    e2e:FILE -k WORDS    tests of the running gateway; the offline auditor (tests/audit) judges each
"""
from collections import namedtuple

Mutant = namedtuple("Mutant", "name breaks edits killers")

JUDGE, TARGET, CLASSES = "residency/judge.c", "policy/decide/decide_target.c", "policy/decide/decide_classes.c"
DECIDE, CELLS = "policy/decide/decide.c", "policy/decide/decide_cells.c"
RULES, FACTS, RESOLVE = "policy/document/residency_rules.c", "policy/document/fleet_facts.c", "policy/document/fleet_resolve.c"
PROCESS, FLEET = "residency/facts_process.c", "policy/document/fleet_document.c"
BARRIER, COLLECT, STORE = "policy/ledger/barrier.c", "policy/compile/apply_collect.c", "policy/store/store.c"
POLICY, REQUEST, LEDGER = "ngx_module/ngx_http_gatehouse_policy.c", "ngx_module/ngx_http_gatehouse_request.c", "ngx_module/ngx_http_gatehouse_ledger.c"
RUNNING = "ngx_module/ngx_http_gatehouse_running.c"

MUTANTS = [
    # ---- the language ----

    Mutant("and-for-or", "a forbid fires only when everything it states is touched",
           [(JUDGE, "    if ((rule->states & GH_STATES_PROCESS) && touched(facts->process, rule->process)) {\n        return true;\n    }\n",
             "    if ((rule->states & GH_STATES_PROCESS) && !touched(facts->process, rule->process)) {\n        return false;\n    }\n")],
           ["unit:test_judge", "oracle"]),
    Mutant("off-switch-ignored", "a forbid that states no fact forbids nothing",
           [(JUDGE, "    if (!(rule->states & any)) {\n        return true;\n    }\n", "")],
           ["unit:test_judge", "oracle"]),
    Mutant("empty-set-inside-everything", "an empty list of places is known, and inside everything",
           [(JUDGE, "return !gh_places_empty(places) && !gh_places_has_unknown(places);", "return !gh_places_has_unknown(places);"),
            (FACTS, "    if (node->type == GH_NODE_ARRAY && node->count == 0) {\n        empty(r, node);\n        return;\n    }\n    statement->known = gh", "    statement->known = gh"),
            (FACTS, "&r->scope, &statement->places) && !gh_places_empty(statement->places);", "&r->scope, &statement->places);")],
           ["unit:test_judge", "unit:test_documents", "oracle"]),
    Mutant("unknown-inside-anywhere", "what is unknown is inside ANYWHERE",
           [(JUDGE, "    return known(places) && gh_places_inside(places, within);",
             "    return gh_places_equal(within, gh_places_anywhere()) || (known(places) && gh_places_inside(places, within));")],
           ["unit:test_judge", "oracle", "laws"]),
    Mutant("unknown-touches-nothing", "what is unknown touches no forbid",
           [(JUDGE, "    return !known(places) || gh_places_touch(places, by);", "    return known(places) && gh_places_touch(places, by);")],
           ["unit:test_judge", "oracle", "laws"]),
    Mutant("unknown-training-accepted", "training that is unknown counts as no",
           [(JUDGE, "!(rule->states & GH_STATES_TRAINING) && facts->training != GH_TRAINING_NO",
             "!(rule->states & GH_STATES_TRAINING) && facts->training == GH_TRAINING_YES")],
           ["unit:test_judge", "oracle", "laws"]),
    Mutant("any-attestation", "one attestation of several is enough",
           [(JUDGE, "(rule->states & GH_STATES_ATTEST) && (rule->attest_mask & ~facts->attest_mask)",
             "(rule->states & GH_STATES_ATTEST) && !(rule->attest_mask & facts->attest_mask)")],
           ["unit:test_judge", "oracle"]),
    Mutant("no-days-is-nothing", "content kept for 0 days is content not kept",
           [(JUDGE, "    if (facts->store_nothing) {\n        return 0;\n    }\n",
             "    if (facts->store_nothing || (facts->store_days_known && facts->store_days == 0)) {\n        return 0;\n    }\n")],
           ["unit:test_judge", "oracle"]),
    Mutant("days-off-by-one", "content may be kept a day longer than max_days",
           [(JUDGE, "facts->store_days <= rule->max_days", "facts->store_days <= rule->max_days + 1")],
           ["unit:test_judge", "oracle"]),
    Mutant("pattern-covers-prefix", "a pattern covers every name that begins with it",
           [(JUDGE, "    return name.len == pattern.len || name.data[pattern.len] == '/';", "    return true;")],
           ["unit:test_judge", "oracle"]),
    Mutant("until-off-by-a-day", "an allow ends a day early",
           [(RULES, "r->rule->until_ms = day + GH_DAY_MS;", "r->rule->until_ms = day;")],
           ["unit:test_documents", "oracle"]),

    # ---- classes ----

    Mutant("highest-class-only", "only the highest class that a request carries needs an allow",
           [(TARGET, "    for (uint32_t i = 0; i < d->decision->class_count; i++) {\n        uint32_t         misses;",
             "    for (uint32_t i = d->decision->class_count - 1; i < d->decision->class_count; i++) {\n        uint32_t         misses;")],
           ["unit:test_decide", "oracle", "laws", "e2e:test_residency.py -k every_class_needs"]),
    Mutant("label-replaces", "a label replaces the classes that the documents give",
           [(CLASSES, "        if (!add_named(d, label, \"label\")) {", "        d->class_mask = 0;\n        if (!add_named(d, label, \"label\")) {")],
           ["unit:test_decide", "oracle", "laws"]),
    Mutant("unknown-label-ignored", "a label that is no class does nothing",
           [(CLASSES, "            } else if (!d->label_unknown) {\n                d->label_unknown = true;\n                d->label = label;\n            }",
             "            }")],
           ["unit:test_decide", "oracle"]),
    Mutant("uninspected-ignored", "what no detector can read adds no class",
           [(CLASSES, "    if (d->input->intake->uninspected) {", "    if (false) {")],
           ["unit:test_decide", "oracle", "laws"]),
    Mutant("default-beside-nothing", "a class of the tenant stands for the default instead of beside it",
           [(CLASSES, "    if (assigned == 0) {", "    if (assigned == 0 && d->profile->tenant_classes == 0) {")],
           ["oracle", "laws"]),

    # ---- scope: guards, tenants, narrowing ----

    Mutant("guard-ignored", "guards are not looked at",
           [(TARGET, "        if (guard != NULL) {", "        if (false) {")],
           ["unit:test_decide", "oracle", "laws"]),
    Mutant("serves-ignored", "a deployment serves everybody",
           [(TARGET, "    if (!gh_decide_covers(d, target->serves)) {", "    if (false) {")],
           ["unit:test_decide_edited", "oracle", "laws"]),
    Mutant("narrowing-unites", "a second narrowing adds to the first instead of cutting it",
           [(CLASSES, "d->narrowed ? gh_places_intersect(d->narrow, all) : all", "d->narrowed ? gh_places_union(d->narrow, all) : all")],
           ["unit:test_decide", "oracle", "laws"]),
    Mutant("narrowing-forgets-store", "a narrowing is held against processing, and not against storage",
           [(TARGET, "gh_places_minus(gh_places_union(worst->process, worst->store), d->narrow)", "gh_places_minus(worst->process, d->narrow)")],
           ["unit:test_decide", "oracle"]),

    # ---- facts ----

    Mutant("global-is-the-region", "a Global SKU or global. profile runs in the region of its endpoint",
           [(PROCESS, "    case DO_ANY:\n", "    case DO_ANY:\n        if (country >= 0) {\n            return (answer_t) { GH_PROCESS_DERIVED, home, WHY_DERIVED };\n        }\n        /* fall through */\n")],
           ["unit:test_facts", "oracle"]),
    Mutant("stated-replaces-derived", "a stated set stands instead of what region and SKU say",
           [(RESOLVE, "target->process = gh_places_union(target->process, statement->places);", "target->process = statement->places;")],
           ["unit:test_documents", "oracle"]),
    Mutant("evidence-not-needed", "a stated fact is known without evidence",
           [(FACTS, "            statement->known = false;\n            gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, member), \"unknown_fact\",",
             "            gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, member), \"unknown_fact\",")],
           ["oracle", "laws"]),
    Mutant("evidence-expiry-ignored", "a fact stays known when its evidence is over",
           [(TARGET, "    return until_ms != 0 && d->now_ms >= until_ms;", "    return false;")],
           ["unit:test_decide", "oracle", "laws"]),
    Mutant("node-country-forgotten", "the gateway's own country is not added to processing",
           [(TARGET, "    gh_places_add(&facts->process, d->node_country);\n", "")],
           ["unit:test_decide", "oracle", "e2e:test_residency.py -k nodes_country"]),
    Mutant("claude-by-upstream-only", "Claude behind another name on Azure is taken for Azure's own",
           [(FLEET, "    if (mentions(target->upstream, \"claude\") || mentions(name, \"claude\")) {", "    (void) name;\n    if (mentions(target->upstream, \"claude\")) {"),
            (FLEET, "        if (mentions(aliases->items[i], \"claude\")) {", "        if (false) {")],
           ["unit:test_documents", "oracle"]),
    Mutant("region-taken-on-trust", "regions that nobody verified count",
           [("residency/facts.c", "        region->usable = (verified == NULL || verified->type == GH_NODE_TRUE)\n                         && (gh_str_is(status, \"ga\") || gh_str_is(status, \"restricted\"));\n",
             "        (void) verified;\n        (void) status;\n        region->usable = gh_node_get(node, \"id\")->text.len != 0;\n")],
           ["unit:test_facts", "oracle"]),

    # ---- features ----

    Mutant("features-ignored", "what a request uses adds nothing to processing and storage",
           [(TARGET, "    add_features(d, target, judged);\n", "")],
           ["unit:test_decide", "oracle", "laws", "e2e:test_residency.py -k features"]),
    Mutant("forbids-accept-unlisted", "forbids judge a deployment without the features it does not list",
           [(TARGET, "    if (taken_away(d, target, judged, &worst, verdict)", "    if (taken_away(d, target, judged, &judged->facts, verdict)")],
           ["unit:test_decide_edited", "oracle"]),
    Mutant("unlisted-accepted", "every allow accepts features that a deployment does not list",
           [(TARGET, "    if (judged->unlisted != NULL && !(rule->states & GH_STATES_UNLISTED_OK)) {", "    if (false) {")],
           ["unit:test_decide", "oracle", "laws", "e2e:test_residency.py -k unlisted"]),

    # ---- the decision ----

    Mutant("default-backend", "when nothing is eligible the first deployment that serves is used",
           [(DECIDE, "    gh_route_order(d->image, decision->route, decision->route_count);\n",
             "    if (decision->route_count == 0 && offered) {\n        decision->targets[0].code = GH_TARGET_ELIGIBLE;\n"
             "        decision->route[decision->route_count++] = decision->targets[0].target;\n    }\n"
             "    gh_route_order(d->image, decision->route, decision->route_count);\n")],
           ["unit:test_decide", "oracle", "laws", "e2e:test_residency.py -k forbidden_deployments"]),
    Mutant("cells-without-time", "a decision that is kept is used beyond the time it holds for",
           [(CELLS, "    return cell->from_ms <= d->now_ms && d->now_ms < cell->until_ms;", "    return cell->from_ms <= d->now_ms;")],
           ["unit:test_cells"]),
    Mutant("cells-without-image", "a decision that is kept is used under the next revision",
           [(CELLS, "    if (cells->image != d->image->serial) {", "    if (cells->image == 0) {")],
           ["unit:test_cells"]),
    Mutant("cells-without-features", "a decision that is kept is used for a request with other features",
           [(CELLS, "        put_text(key, intake->features[i].name);\n", "")],
           ["unit:test_cells"]),
    Mutant("identity-of-another-revision", "a caller known by one revision is judged with the policy of another",
           [("policy/decide/decide.c", "    if (identity->revision != gh_image_revision(image)) {", "    if (identity->revision == 0) {")],
           ["unit:test_store_apps"]),

    # ---- an edit of a part ----

    Mutant("part-forgets-others", "a tenant that another document gives already is given again by an edit of a part",
           [("policy/compile/apply_part.c", "error) != GH_OK || listed\n", "error) != GH_OK\n")],
           ["unit:test_apply_part", "cli:test_scale.py -k given_by_another"]),
    Mutant("part-forgets-patterns", "an edit of a part may leave a forbid that covers nothing",
           [("policy/document/check_patterns.c", "    p->loader->part->uncertain |= covers_name(&p->before, check);\n", "")],
           ["unit:test_apply_part", "cli:test_scale.py -k forbid"]),
    Mutant("part-forgets-organisation", "an edit of a part may change what is said of tenants of other documents",
           [("policy/compile/apply_part.c", "        if (before.said != after.said) {", "        if (before.documents == 0 && before.said != after.said) {")],
           ["unit:test_apply_part"]),

    # ---- what is found in documents ----

    Mutant("finding-forgets-nodes", "an allow is said never to fit without looking at every node",
           [("policy/document/check_rules.c", "m->rule->kind == GH_RULE_FORBID ? 1 : r->reach->node_count;", "1;")],
           ["findings"]),
    Mutant("finding-forgets-guards", "an allow is said to count though guards forbid all it fits",
           [("policy/document/check_rules.c", "        if (r->loader->policies[i]->guard) {", "        if (false) {")],
           ["findings"]),
    Mutant("place-cycle-accepted", "a place defined through itself is taken as empty",
           [("policy/document/place_words.c", "            cycle = true;\n            gh_doc_error(", "            cycle = true;\n            gh_doc_warn(")],
           ["unit:test_documents"]),

    # ---- edits, the store ----

    Mutant("base-check-skipped", "an edit replaces what somebody else changed meanwhile",
           [(COLLECT, "    return owner.data == NULL ? GH_OK : refuse_moved(collect, owner);", "    return owner.data == NULL || owner.data != NULL ? GH_OK : refuse_moved(collect, owner);")],
           ["cli:test_organisations.py test_rollback.py"]),
    Mutant("rollback-of-everybody", "a rollback of one organisation brings back documents of the others",
           [("policy/cli/policy_rollback.c", "        status = gh_cli_scope(cli, &edit.scope);\n", "        status = gh_cli_scope(cli, &edit.scope);\n        edit.scope.kind = GH_SCOPE_ALL;\n")],
           ["cli:test_organisations.py test_rollback.py"]),
    Mutant("edit-drops-others", "an edit of one organisation takes the documents of the others away",
           [("policy/document/scope.c", "    return scope->kind == GH_SCOPE_ALL\n        || gh_str_eq(owner,", "    return scope->kind == GH_SCOPE_ALL || owner.len != 0\n        || gh_str_eq(owner,")],
           ["cli:test_organisations.py"]),
    Mutant("damaged-record-accepted", "a record of the store whose MAC is wrong is used",
           [("policy/store/envelope.c", "    if (gh_memcmp_constant(mac, envelope.mac, 16) != 0) {", "    if (false) {")],
           ["unit:test_store"]),
    Mutant("lower-revision-accepted", "a worker goes back to a lower revision than one it has used",
           [(STORE, "    if (store->head.revision < store->highest) {", "    if (false) {")],
           ["unit:test_store"]),
    Mutant("clock-runs-backwards", "an allow that has ended fits again when the clock is set back",
           [(DECIDE, "    d.now_ms = input->now_ms > image->clock_ms ? input->now_ms : image->clock_ms;", "    d.now_ms = input->now_ms;")],
           ["unit:test_decide"]),

    # ---- the barrier and the last check ----

    Mutant("no-barrier", "an edit is acknowledged without waiting for any worker",
           [(BARRIER, "    if (wanted->transaction == 0) {\n        return NULL;\n    }\n", "    return NULL;\n")],
           ["unit:test_ledger"]),
    Mutant("barrier-forgets-running", "an edit is acknowledged while dispatches that it forbids run on",
           [(BARRIER, "    if (worker->running > 0 && worker->swept < wanted->transaction) {", "    if (false) {")],
           ["unit:test_ledger"]),
    Mutant("barrier-of-another-store", "a worker that sends under another store's policy passes for one that obeys",
           [(BARRIER, "    if (worker->window != GH_WINDOW_CLOSED && worker->store_inode != wanted->inode) {", "    if (false) {")],
           ["unit:test_ledger"]),
    Mutant("dead-worker-blocks", "a slot whose owner died is waited for",
           [("policy/ledger/slot.c", "        if (lock.l_type == F_UNLCK) {\n            continue;\n        }\n        at =", "        if (lock.l_type == F_UNLCK) {\n            found[0] |= 1;\n            continue;\n        }\n        at =")],
           ["unit:test_ledger"]),
    Mutant("revision-pinned", "a dispatch is judged under the revision that the request was admitted under",
           [(POLICY, "    if (ngx_http_gatehouse_transaction() == ctx->checked_transaction\n        && now < ctx->checked_until_ms)\n    {\n        return NGX_OK;\n    }\n\n    switch",
             "    if (ctx->checked_transaction) {\n        return NGX_OK;\n    }\n\n    switch"),
            (POLICY, "    if (ctx->recorded == 0 && !ngx_http_gatehouse_moved(ctx, image, now)\n        && ngx_http_gatehouse_transaction() == ctx->checked_transaction)\n    {",
             "    (void) ngx_http_gatehouse_moved(ctx, image, now);\n\n    if (gh_decision_verdict(&ctx->decision, attempt->target)) {")],
           ["e2e:test_residency.py -k 'edit_during or edit_between'"]),
    Mutant("check-at-connect-only", "policy is read again before the first byte of a dispatch, and not before the next ones",
           [(REQUEST, "    if (ngx_http_gatehouse_still(ctx, attempt, image, &ctx->arena) != NGX_OK) {", "    if (attempt->begun == 0\n        && ngx_http_gatehouse_still(ctx, attempt, image, &ctx->arena) != NGX_OK)\n    {"),
            (RUNNING, "    rc = ngx_http_gatehouse_still(ctx, attempt, image, &heap.arena);\n", "    rc = NGX_OK;\n")],
           ["e2e:test_residency.py -k edit_during"]),
    Mutant("finish-from-ignored", "an edit that says cut lets what runs finish",
           [(POLICY, "    if (attempt->begun == 0\n        || attempt->begun < ngx_http_gatehouse_finish_from()\n        || (image && gh_image_revision(image) == attempt->begun))\n    {\n        return NGX_ERROR;\n    }\n",
             "    if (attempt->begun == 0) {\n        return NGX_ERROR;\n    }\n")],
           ["e2e:test_residency.py -k edit_during"]),
    Mutant("window-closed-early", "a worker says that it has written before it writes",
           [(REQUEST, "    rc = ngx_chain_writer(&ctx->request->upstream->writer, in);\n\n    ngx_http_gatehouse_window_close(1);\n",
             "    ngx_http_gatehouse_window_close(1);\n\n    rc = ngx_chain_writer(&ctx->request->upstream->writer, in);\n")],
           ["e2e:test_window.py"]),
    Mutant("moved-backend-kept", "a dispatch goes on to a backend that the deployment has left",
           [(POLICY, "    return gh_str_eq(facts.backend, attempt->facts.backend)\n           && gh_str_eq(facts.api", "    return gh_str_eq(facts.api")],
           ["e2e:test_edits.py -k moved_backend_during"]),
    Mutant("cut-that-cuts-nothing", "a dispatch that an edit forbids is found, and runs on until its next write",
           [(RUNNING, "    ngx_http_gatehouse_cut(ctx, attempt);\n", "    (void) ngx_http_gatehouse_cut;\n")],
           ["e2e:test_barrier.py -k no_byte_after"]),
    Mutant("revoked-key-goes-on", "a key is looked at when its request comes, and not again",
           [("policy/store/store_identify.c", "the record of an API key names another key than before\");\n    }\n",
             "the record of an API key names another key than before\");\n    }\n    if (rc != GH_OK) {\n        now = *before;\n        rc = GH_OK;\n    }\n")],
           ["e2e:test_residency.py -k revoked_key"]),
]
