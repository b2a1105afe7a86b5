import Testing

@testable import Configuration

struct ErrorTests {
    @Test(arguments: [
        // Keys
        ("files:\n  wach: []\n", "f.yaml:2:3: unknown key \"files.wach\"; the nearest valid key is files.watch"),
        ("\n\nfile: {}\n", "f.yaml:3:1: unknown key \"file\"; the nearest valid key is files"),
        (
            "rings: {interval: 1s}",
            "f.yaml:1:9: unknown key \"rings.interval\"; the nearest valid key is consumer.interval (interval: below consumer:)"
        ),
        ("files.watch: [/x]", "f.yaml:1:1: unknown key \"files.watch\"; the nearest valid key is files.watch (watch: below files:)"),
        ("<<: {}", "f.yaml:1:1: unknown key \"<<\"; the nearest valid key is files"),
        ("\"files\\nx\": 1", "f.yaml:1:1: unknown key \"files\\nx\"; the nearest valid key is files"),
        ("? [files]\n: 1", "f.yaml:1:3: a key is a word, not a list; write a key such as only"),
        ("files:\n  ignore: []\n  \"ignore\": []\n", "f.yaml:3:3: the key \"ignore\" is there twice, first on line 2; remove one"),
        ("files: {}\nrings: {}\nfiles: {}\n", "f.yaml:3:1: the key \"files\" is there twice, first on line 1; remove one"),
        ("files: {ignore: [], ignore: []}", "f.yaml:1:9: the key \"ignore\" is there twice; remove one"),
        // Shapes
        ("[]", "f.yaml:1:1: the file holds a list, not sections of keys; begin with a section such as capture:"),
        ("hello", "f.yaml:1:1: the file holds a single value, not sections of keys; begin with a section such as capture:"),
        ("rings: 5", "f.yaml:1:8: rings is a section of keys, not a single value; write its keys below it, indented"),
        ("capture: {only: exec}", "f.yaml:1:17: capture.only: takes a list, not a single value; write [exec] for a list of one"),
        ("capture: {backend: [auto]}", "f.yaml:1:20: capture.backend: takes one value, not a list; write one of auto, fentry, tracepoint"),
        // Values
        (
            "capture:\n  backend: fentri",
            "f.yaml:2:12: capture.backend: \"fentri\" is not one of auto, fentry, tracepoint; the nearest is fentry"
        ),
        (
            "capture:\n  only:\n    - exec\n    - modul",
            "f.yaml:4:7: capture.only: \"modul\" is not one of exec, file, module; the nearest is module"
        ),
        ("files:\n  report_every: 30", "f.yaml:2:17: files.report_every: \"30\" has no unit; use one of us, ms, s, m, h, d, such as 30s"),
        ("events:\n  filter: process.pid = 1", "f.yaml:2:11: events.filter: = is no sign of this language; write =="),
        ("events: {filter: [a]}", "f.yaml:1:18: events.filter: takes one value, not a list; write a condition such as process.name == \"sshd\""),
        ("files:\n  detail: every", "f.yaml:2:11: files.detail: \"every\" is not one of summary, bytes, every-write; the nearest is summary"),
        ("limits:\n  tenant_rate: 20k", "f.yaml:2:16: limits.tenant_rate: \"20k\" is not a whole number; write digits only, from 0 to 1000000, without leading zeros"),
        ("files:\n  report_every: 2d", "f.yaml:2:17: files.report_every: 2d is out of range; use 1s to 1d"),
        (
            "files:\n  report_every:\n",
            "f.yaml:2:16: files.report_every has no value; write one (duration, 1s to 1d), or remove the key for its default"
        ),
        (
            "rings: {bulk_size: 8MB}",
            "f.yaml:1:20: rings.bulk_size: \"8MB\" has no unit that is known here; use KiB, MiB or GiB, or none for bytes"
        ),
        ("rings: {wake_at: '25'}", "f.yaml:1:18: rings.wake_at: \"25\" is a text, not a number; remove its quotes"),
        // YAML
        ("files:\n\tignore: []", "f.yaml:2:1: bad YAML: a tab in the indentation; indent with spaces"),
        ("a: &x [1]\nb: *x", "f.yaml:1:4: a YAML anchor (&name); remove it, and write the value out where *name stands"),
        ("a: *x", "f.yaml:1:4: a YAML alias (*name); write the value out, or put it in quotes if it is meant to begin with *"),
        ("files: !!int {}", "f.yaml:1:8: a YAML tag (\"tag:yaml.org,2002:int\"); remove it; the key settles the type"),
        ("{}\n---\n{}", "f.yaml:2:1: a second YAML document; keep one; more files go to conf.d"),
        ("files:\n  ignore: \"\u{7}\"", "f.yaml:2:12: the character \\x07; remove it; in double quotes it may be written like this"),
    ])
    func oneLineThatSaysWhatWhereAndWhatToDo(yaml: String, expected: String) {
        #expect(loaded(yaml).errors.map(\.description) == [expected])
    }

    @Test func badYAMLSaysWhere() throws {
        let error = try #require(loaded("files:\n  ignore: [a\nrings: {}\n").errors.first)
        #expect(error.description.hasPrefix("f.yaml:3:"))
        #expect(error.message.hasPrefix("bad YAML: did not find expected"))
    }

    @Test func columnsCountScalars() {
        #expect(loaded("files: {'üß€𝄞': 1}").errors.first?.column == 9)
        #expect(loaded("{'üß€𝄞': 1, x: 1}").errors.map(\.column) == [2, 13])
        #expect(loaded(Array("files: {ü".utf8) + [0xFF]).errors.first?.column == 10)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0xFF, 0xFE, 0x66, 0x00],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        let errors = loaded(Array("# ü\r\n# x".utf8) + bytes).errors
        #expect(errors.map(\.description) == ["f.yaml:2:4: a byte that is not UTF-8; save the file as UTF-8"])
    }

    @Test func allErrorsOfAFileAreFound() {
        let loader = loaded("files: {wach: 1, report_every: 5}\nrings:\n  wake_at: 91\n  bulk_count: 3\nnope: {}\n")
        #expect(loader.errors.map(\.line) == [1, 1, 3, 5])
        #expect(loader.settings.ringsBulkCount == 3)
    }

    @Test func aByteOrderMarkAndForeignLineEndsAreFine() {
        let loader = loaded("\u{FEFF}files:\r\n  report_every: 5s\r\nrings:\r\n  wake_at: 30\r\n")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.filesReportEvery == .seconds(5))
        #expect(loader.settings.origin(of: \.ringsWakeAt) == .file("f.yaml", line: 4))
    }

    @Test(arguments: ["", "# only a comment\n", "---\n", "~", "{}", "files:\n  # ignore: []\n", "files: ~\n", "--- \n...\n"])
    func nothingIsAGoodConfiguration(yaml: String) {
        let loader = loaded(yaml)
        #expect(loader.errors.isEmpty)
        #expect(loader.settings == Settings())
    }

    @Test func aliasesDoNotMultiply() {
        var bomb = "a0: &a0 [x]\n"
        for level in 1...40 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        // As a key, for keys are compared.
        bomb += "? *a40\n: 1\n? [*a40]\n: 2\n"
        let errors = loaded(bomb).errors
        #expect(errors.map(\.message) == ["a YAML anchor (&name)"])
        #expect(errors.first?.line == 1)
    }

    @Test(arguments: ["[", "{? ", "? ", "- ", "a: {", "[a: "])
    func depthIsBounded(opening: String) {
        let errors = loaded(String(repeating: opening, count: 100_000)).errors
        #expect(errors.count == 1)
        #expect(errors.first?.line == 1)
    }

    @Test func asterisksAndAmpersandsInTextsAreFine() {
        let notes = String(repeating: "# *see* this & that, &c. *\n", count: 20)
        #expect(loaded(notes + "files:\n  ignore: ['/x/*', \"/*/&y\", /a&b*c]\n").settings.filesIgnore == ["/x/*", "/*/&y", "/a&b*c"])
    }
}
