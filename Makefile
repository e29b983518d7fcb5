# make          build/ngx_http_gatehouse_module.so against the installed nginx, and build/gatehouse
# make PGO=1    the module by a profile of itself at work, build/pgo/ngx_http_gatehouse_module.so (needs python3; two minutes), and build/gatehouse
# make core     build/libgatehouse.a: the core without nginx
# make agent    build/libgatehouse_agent.a: what talks to other machines; for the command alone
# make unit     builds and runs the unit tests
# make install  renames both into place (a running master keeps the old library mapped); make install PGO=1: that module

CC      ?= cc
BUILD   ?= build
PREFIX  ?= /usr/local
MODULES ?= /usr/lib/nginx/modules
CFLAGS  ?= -O2 -g
GH_CFLAGS = -std=gnu11 -Wall -Wextra -Werror -fPIC -I. $(CFLAGS) $(SANITIZE)
GH_LIBS   = -llmdb -ljansson -lmaxminddb -lpcre2-8 -lcrypto -lz
AGENT_LIBS = -lcurl -lpthread

CORE  := $(sort $(filter-out policy/cli/% policy/agent/%, $(wildcard policy/*/*.c residency/*.c ngx_module/wire/*.c ngx_module/wire/*/*.c)))
CLI   := $(sort $(wildcard policy/cli/*.c))
AGENT := $(sort $(wildcard policy/agent/*.c))
UNIT  := $(sort $(wildcard tests/unit/test_*.c))
TOOLS := $(sort $(wildcard tests/oracle/*.c tests/tools/*.c))
LAWS  := $(sort $(wildcard tests/laws/*.c))

MODULE := $(BUILD)/$(if $(filter 1,$(PGO)),pgo/)ngx_http_gatehouse_module.so

CORE_OBJECTS := $(CORE:%.c=$(BUILD)/%.o)

all: module cli

module: $(MODULE)
cli:    $(BUILD)/gatehouse
core:   $(BUILD)/libgatehouse.a
agent:  $(BUILD)/libgatehouse_agent.a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GH_CFLAGS) -MMD -MP -c -o $@ $<

# What these files take in by .incbin, which the compiler does not tell of.
$(BUILD)/residency/facts_data.o: $(wildcard residency/data/*)
$(BUILD)/policy/cli/templates.o: $(wildcard conf/templates/*/*)

$(BUILD)/libgatehouse.a: $(CORE_OBJECTS)
	rm -f $@
	ar rcs $@ $^

$(BUILD)/libgatehouse_agent.a: $(AGENT:%.c=$(BUILD)/%.o)
	rm -f $@
	ar rcs $@ $^

$(BUILD)/gatehouse: $(CLI:%.c=$(BUILD)/%.o) $(BUILD)/libgatehouse_agent.a $(BUILD)/libgatehouse.a
	$(CC) $(GH_CFLAGS) -o $@ $^ $(AGENT_LIBS) $(GH_LIBS)

# Tests of the agent's parts have servers of their own, with TLS.
$(BUILD)/tests/unit/test_agent_%: tests/unit/test_agent_%.c $(BUILD)/libgatehouse_agent.a $(BUILD)/libgatehouse.a
	@mkdir -p $(@D)
	$(CC) $(GH_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libgatehouse_agent.a $(BUILD)/libgatehouse.a $(AGENT_LIBS) -lssl $(GH_LIBS) -lm

$(BUILD)/tests/%: tests/%.c $(BUILD)/libgatehouse.a
	@mkdir -p $(@D)
	$(CC) $(GH_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libgatehouse.a $(GH_LIBS) -lm

unit: $(UNIT:tests/%.c=$(BUILD)/tests/%)
	@status=0; for t in $^; do $$t || status=1; done; exit $$status

$(BUILD)/tests/laws/laws: $(LAWS:%.c=$(BUILD)/%.o) $(BUILD)/libgatehouse.a
	$(CC) $(GH_CFLAGS) -o $@ $^ $(GH_LIBS)

# What dies on purpose inside the ledger's protocol: its own build of the ledger, with the points at which it may.
KILLED := $(patsubst %.c,$(BUILD)/killed/%.o,$(sort $(wildcard policy/ledger/*.c policy/base/*.c)))

$(BUILD)/killed/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GH_CFLAGS) -DGH_KILL_POINTS -MMD -MP -c -o $@ $<

$(BUILD)/tests/kill/kill $(BUILD)/tests/counters/histories $(BUILD)/tests/counters/reuse $(BUILD)/tests/counters/crowd: $(BUILD)/%: %.c $(KILLED)
	@mkdir -p $(@D)
	$(CC) $(GH_CFLAGS) -DGH_KILL_POINTS -MMD -MP -o $@ $< $(KILLED) -lcrypto -lz

killed: $(BUILD)/tests/kill/kill $(BUILD)/tests/counters/histories $(BUILD)/tests/counters/reuse $(BUILD)/tests/counters/crowd

tools: $(TOOLS:tests/%.c=$(BUILD)/tests/%) $(BUILD)/tests/laws/laws

# The module is always handed to nginx's own build, which knows what is out of date.
$(BUILD)/ngx_http_gatehouse_module.so: FORCE
	ngx_module/build.sh $(BUILD)

LOAD := $(addprefix $(BUILD)/tests/bench/,load/load load/backend scale/scale)

$(BUILD)/pgo/ngx_http_gatehouse_module.so: FORCE $(BUILD)/gatehouse $(LOAD)
	ngx_module/pgo.sh $(BUILD)

install: all
	install -d $(DESTDIR)$(MODULES) $(DESTDIR)$(PREFIX)/sbin
	install -m 0644 $(MODULE) $(DESTDIR)$(MODULES)/.ngx_http_gatehouse_module.so.new
	mv -f $(DESTDIR)$(MODULES)/.ngx_http_gatehouse_module.so.new $(DESTDIR)$(MODULES)/ngx_http_gatehouse_module.so
	install -m 0755 $(BUILD)/gatehouse $(DESTDIR)$(PREFIX)/sbin/.gatehouse.new
	mv -f $(DESTDIR)$(PREFIX)/sbin/.gatehouse.new $(DESTDIR)$(PREFIX)/sbin/gatehouse

clean:
	rm -rf $(BUILD)

FORCE:

.PHONY: all module cli core agent unit tools killed install clean FORCE

# What .incbin brings in, the compiler does not tell.
$(BUILD)/policy/cli/schema_data.o: $(wildcard conf/schema/*.json)
$(BUILD)/residency/facts_data.o: $(wildcard residency/data/*.json)

# Not those of builds below this one, which may be in the making.
-include $(shell find $(addprefix $(BUILD)/,policy residency ngx_module tests killed) -type f -name '*.d' 2>/dev/null)
