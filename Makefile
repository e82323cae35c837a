# image_library: the extension (PGXS), its tests and its demo.
EXTENSION = image_library
EXTVERSION = 0.2
MODULE_big = image_library

SOURCES = $(sort $(wildcard src/core/*.cpp src/registry/*.cpp src/sync/*.cpp src/trust/*.cpp src/postgres/*.cpp))
OBJS = $(SOURCES:.cpp=.o)

# The files of the extension script, in the order in which they build on each other.
SQL_FILES = $(addprefix src/sql/,$(addsuffix .sql,$(shell cat src/sql/install_order)))
SQL_SCRIPT = $(EXTENSION)--$(EXTVERSION).sql
# From the version before: see "The upgrade script" in CONTRIBUTING.md.
UPGRADE_FROM = 0.1
UPGRADE = $(UPGRADE_FROM)--$(EXTVERSION)
SQL_UPGRADE = $(EXTENSION)--$(UPGRADE).sql
DATA_built = $(SQL_SCRIPT) $(SQL_UPGRADE)
# A dump of that version is restored into its own objects: see "Backup" in doc/operations.md.
DATA = src/sql/upgrade/$(EXTENSION)--$(UPGRADE_FROM).sql

REGRESS = $(sort $(basename $(notdir $(wildcard sql/*.sql))))
# --no-locale: what a test sorts comes in the same order everywhere.
REGRESS_OPTS = --load-extension=image_library --encoding=UTF8 --no-locale
ISOLATION = $(sort $(basename $(notdir $(wildcard test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=output_iso --load-extension=image_library
TAP_TESTS = 1
PROVE_TESTS ?= test/t/*.pl

# JIT bitcode of C++ is of no use here; a plain assignment would be overwritten by PGXS.
override with_llvm := no

PG_CONFIG ?= pg_config
# -isystem: PostgreSQL's headers do not pass our warnings.
# -ffile-prefix-map: the same source gives the same bytes in every folder.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = -std=c++20 -fvisibility-inlines-hidden -ffunction-sections -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-unused-parameter \
	-Wno-missing-field-initializers -Werror $(EXTRA_CXXFLAGS)
SHLIB_LINK = -Wl,--version-script=src/postgres/exports.map -Wl,--exclude-libs,ALL \
	-Wl,--gc-sections -lcurl -lsimdjson -lre2 -lcrypto -lstdc++ $(EXTRA_LDFLAGS)

EXTRA_CLEAN = build results output_iso tmp_check tmp_check_iso log

# demo and test install PostgreSQL themselves; what builds needs it.
ifneq ($(shell command -v $(PG_CONFIG)),)
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# After PGXS, which sets CXX unless the command line has. Clang gets the flags of the compiler that
# built PostgreSQL. GCC sees uninitialized values in std::optional where there are none, and its unique
# symbols would keep the module from being unloaded.
ifneq ($(shell $(CXX) --version 2>/dev/null | grep -c clang),0)
override CXXFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
else
override CXXFLAGS += -fno-gnu-unique -Wno-maybe-uninitialized
endif

# Says all that is missing instead of failing in the middle.
installcheck: installcheck-needs
installcheck-needs:
	@scripts/check_installcheck "$(PG_CONFIG)" "$(EXTVERSION)" $(if $(strip $(REGRESS) $(ISOLATION)),sql) $(if $(strip $(TAP_TESTS)),tap)
else
all install installcheck:
	@echo "$(PG_CONFIG) is not there: run scripts/setup build, or name that of your PostgreSQL with PG_CONFIG=" >&2; false
endif

$(SQL_SCRIPT): src/sql/install_order $(SQL_FILES) image_library.control
	cat $(SQL_FILES) > $@
$(SQL_UPGRADE): scripts/upgrade_script $(SQL_SCRIPT) $(wildcard src/sql/upgrade/*)
	scripts/upgrade_script src/sql/upgrade/$(EXTENSION)--$(UPGRADE_FROM).sql src/sql/upgrade/$(UPGRADE).sql $(SQL_SCRIPT) > $@.new
	mv $@.new $@

# Every object is rebuilt when a header changes: the tree is small.
$(OBJS): $(wildcard src/*/*.h) Makefile

.PHONY: installcheck-needs demo demo-stop portal portal-test test test-deep test-matrix test-package unit bench format lint dist image-root
# Everything on a bare Debian machine: packages, build, servers, the main job.
demo:
	demo/run
demo-stop:
	demo/stop
# Pages over the library in a browser, beside the demo's server: see portal/README.md.
portal:
	portal/run
portal-test:
	test/run portal
test:
	test/run
# The same on other versions of PostgreSQL and with Clang, in roots of their own; needs root.
test-matrix:
	test/matrix
# What takes too long for every change: see CONTRIBUTING.md.
test-deep:
	test/run_deep
# Debian packages, built and installed in clean roots.
test-package:
	test/deep/package $(SUITES)
unit:
	scripts/setup unit
	cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug
	cmake --build build -j $(shell nproc)
	ctest --test-dir build --output-on-failure
bench:
	bench/run
# The distribution for PGXN.
dist:
	scripts/dist
# The root of an extension image for CloudNativePG, in the folder IMAGE_ROOT, of a PostgreSQL that has image volumes (18).
IMAGE_ROOT ?= image-root
image-root: all
	rm -rf build/image-install $(IMAGE_ROOT)
	$(MAKE) install DESTDIR=$(CURDIR)/build/image-install
	scripts/image_root build/image-install "$(PG_CONFIG)" $(IMAGE_ROOT)
format:
	clang-format -i $(wildcard src/*/*.cpp src/*/*.h test/unit/*.cpp test/unit/*.h test/fuzz/*.cpp test/fuzz/*.h test/property/*.cpp test/property/*.h test/registry/*.cpp bench/*.cpp)
lint:
	clang-format --dry-run -Werror $(wildcard src/*/*.cpp src/*/*.h test/unit/*.cpp test/unit/*.h test/fuzz/*.cpp test/fuzz/*.h test/property/*.cpp test/property/*.h test/registry/*.cpp bench/*.cpp)
