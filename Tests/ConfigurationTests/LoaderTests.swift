import Glibc
import Testing

@testable import Configuration

struct LoaderTests {
    @Test func laterSourcesGoBeforeEarlierOnesKeyByKey() throws {
        let files = [
            "h.yaml": "rings:\n  wake_at: 10\n  bulk_count: 2\nfiles:\n  watch: [/a, /b]\n",
            "conf.d/20-b.yaml": "rings: {wake_at: 40}\n",
            "conf.d/10-a.yaml": "rings: {wake_at: 30, priority_size: 4KiB}\n\nfiles:\n\n  watch: [/c]\n",
            "conf.d/.hidden.yaml": "nonsense: 1",
            "conf.d/backup.yaml~": "nonsense: 1",
        ]
        try withFiles(files) { directory in
            let settings = try Settings.load(file: "\(directory)/h.yaml", overrides: [Override(\.ringsPrioritySize, "8KiB", option: "--x")])
            #expect(settings.ringsWakeAt == 40)
            #expect(settings.origin(of: \.ringsWakeAt).description == "\(directory)/conf.d/20-b.yaml:1")
            #expect(settings.ringsBulkCount == 2)
            #expect(settings.origin(of: \.ringsBulkCount).description == "\(directory)/h.yaml:3")
            #expect(settings.filesWatch == ["/c"])
            #expect(settings.origin(of: \.filesWatch).description == "\(directory)/conf.d/10-a.yaml:5")
            #expect(settings.ringsPrioritySize == 8192)
            #expect(settings.origin(of: \.ringsPrioritySize).description == "--x")
            #expect(settings.origin(of: \.limitsWatches).description == "default")
        }
    }

    @Test func overridesAreCheckedAsFilesAre() throws {
        let (settings, errors) = Settings.check(overrides: [
            Override(\.captureOnly, list: ["exec", "fil"], option: "--only"),
            Override(\.ringsBulkSize, "65537", option: "--ring-size"),
            Override(\.filesWatch, list: ["/x/"], option: "--path"),
        ])
        #expect(
            errors.map(\.description) == [
                "--only: capture.only: \"fil\" is not one of exec, file, module; the nearest is file",
                "--ring-size: rings.bulk_size: 65537 can't be the size of a ring; use a power of two, 4KiB to 1GiB, or 0",
            ])
        #expect(settings.filesWatch == ["/x"])
        #expect(settings.captureOnly == CaptureKind.allCases)
    }

    @Test func errorsOfAllFilesAreFoundAndTheFirstIsThrown() throws {
        try withFiles(["h.yaml": "a: 1\nb: 1\n", "conf.d/a.yaml": "x: [", "conf.d/b.yaml": "c: 1"]) { directory in
            let errors = Settings.check(file: "\(directory)/h.yaml").errors
            #expect(errors.map(\.file) == ["h.yaml", "h.yaml", "conf.d/a.yaml", "conf.d/b.yaml"].map { "\(directory)/\($0)" })
            #expect(throws: errors[0]) { try Settings.load(file: "\(directory)/h.yaml") }
        }
    }

    @Test func onlyTheDefaultFileMayBeMissing() throws {
        try withFiles(["conf.d/a.yaml": "rings: {wake_at: 7}"]) { directory in
            var loader = Loader()
            loader.read("\(directory)/h.yaml", mayBeMissing: true)
            loader.readFolder(beside: "\(directory)/h.yaml")
            #expect(loader.errors.isEmpty)
            #expect(loader.settings.ringsWakeAt == 7)
            #expect(
                Settings.check(file: "\(directory)/h.yaml").errors.map(\.description) == [
                    "\(directory)/h.yaml: can't be read: No such file or directory; check the path, or create the file"
                ])
        }
    }

    /// What a file is that can't be read, and what the error names.
    @Test func whatCanNotBeRead() throws {
        try withFiles(["large.yaml": String(repeating: "# 345678\n", count: 1_000_000), "conf.yaml": "", "d/x": ""]) { directory in
            func complaint(_ path: String) -> String? { Settings.check(file: path).errors.first?.description }
            #expect(complaint("\(directory)/large.yaml") == "\(directory)/large.yaml: is larger than 8MiB; split it into files in conf.d")
            #expect(complaint("\(directory)/d") == "\(directory)/d: is a directory; name a file")
            #expect(mkfifo("\(directory)/fifo", 0o600) == 0)
            #expect(complaint("\(directory)/fifo") == "\(directory)/fifo: is not a regular file; name a regular file")
            #expect(symlink("\(directory)/loop", "\(directory)/loop") == 0)
            #expect(complaint("\(directory)/loop")?.hasSuffix("; remove the circle of symbolic links") == true)
            // Opens, and fails on the first read: address 0 is not mapped.
            #expect(
                complaint("/proc/self/mem") == "/proc/self/mem: can't be read: Input/output error; check the file and the disk it is on")
            #expect(complaint("\(directory)/conf.yaml/x")?.hasSuffix("check the path, or create the file") == true)
            #expect(
                complaint("a\nb\u{1B}[1m") == "a\\nb\\x1B[1m: can't be read: No such file or directory; check the path, or create the file")
        }
    }

    @Test func theLargestFileIsRead() throws {
        let text = "rings: {wake_at: 7}\n#" + String(repeating: "x", count: (8 << 20) - 21)
        try withFiles(["h.yaml": text, "i.yaml": text + "x"]) { directory in
            let settings = try Settings.load(file: "\(directory)/h.yaml")
            #expect(settings.ringsWakeAt == 7)
            #expect(throws: ConfigurationError.self) { try Settings.load(file: "\(directory)/i.yaml") }
        }
    }

    @Test func theFolderOfPartsIsCheckedToo() throws {
        try withFiles(["h.yaml": "", "conf.d/a.yml": "", "conf.d/b.yaml/x": ""]) { directory in
            #expect(
                Settings.check(file: "\(directory)/h.yaml").errors.map(\.description) == [
                    "\(directory)/conf.d/a.yml: is not read for its name; rename it to end in .yaml",
                    "\(directory)/conf.d/b.yaml: is a directory; name a file",
                ])
        }
        try withFiles(["h.yaml": "", "conf.d": ""]) { directory in
            #expect(
                Settings.check(file: "\(directory)/h.yaml").errors.map(\.description) == [
                    "\(directory)/conf.d: is not a directory; make it a directory, or remove it"
                ])
        }
    }
}
