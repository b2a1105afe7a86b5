# Every target in a line: make help.
.DEFAULT_GOAL := help
SHELL := /bin/bash

export PATH := $(PATH):/opt/swift/usr/bin:/usr/sbin:/sbin
PROGRAM := .build/release/hypervigil

BUILD_PACKAGES := git pkg-config libc6-dev libbpf-dev libelf-dev zlib1g-dev libssl-dev libpcre2-dev
TEST_PACKAGES := qemu-system-x86 busybox-static cpio kmod xz-utils zstd e2fsprogs xfsprogs btrfs-progs crun sudo

# The Swift runtime is linked in: the program runs where no Swift is installed.
RELEASE := -c release --static-swift-stdlib

.NOTPARALLEL:
.PHONY: help setup setup-tests swift build run test soak bpf bench-cost bench-throughput clean

help: ## this list
	@sed -n -E 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: ## install by apt what building needs
	@Tests/setup build $(BUILD_PACKAGES)

setup-tests: ## install by apt what the tests need beyond that
	@Tests/setup tests $(TEST_PACKAGES)

swift:
	@command -v swift >/dev/null || { echo "make: no swift in PATH or /opt/swift/usr/bin: install Swift 6.3 from https://www.swift.org/install/linux/" >&2; exit 1; }

build: swift ## build the program: .build/release/hypervigil
	swift build $(RELEASE) --product hypervigil

run: setup build ## build the program and watch this machine (as root)
	$(PROGRAM) watch

test: setup setup-tests swift ## all tests, here and on Debian's kernels
	@Tests/run

soak: setup setup-tests swift ## the same with full counts; takes long
	@HV_FULL=1 Tests/run

bpf: swift ## rebuild the BPF objects under bpf/prebuilt
	bpf/build

bench-cost: setup setup-tests swift ## guest instructions per operation, with and without the monitor
	Benchmarks/cost

bench-throughput: setup swift ## ns and allocations per event, against C
	Benchmarks/throughput

clean: ## remove what was built (not the fetched kernels)
	rm -rf .build
