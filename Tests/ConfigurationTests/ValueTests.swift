import Testing

@testable import Configuration

struct ValueTests {
    @Test(arguments: [
        ("1s", Duration.seconds(1)), ("1000ms", .seconds(1)), ("2m", .seconds(120)), ("24h", .seconds(86_400)), ("1d", .seconds(86_400)),
        ("\"30s\"", .seconds(30)), ("1500ms", .milliseconds(1500)), ("1000000us", .seconds(1)),
    ])
    func durations(text: String, expected: Duration) {
        let loader = loaded("files: {report_every: \(text)}")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.filesReportEvery == expected)
    }

    @Test func zeroNeedsNoUnit() {
        #expect(loaded("consumer: {order_window: 0}").settings.consumerOrderWindow == .zero)
        #expect(loaded("consumer: {order_window: 0ms}").settings.consumerOrderWindow == .zero)
    }

    @Test(arguments: [
        "30", "0", "1.5s", "s", "-1s", "+1s", "01s", "999ms", "25h", "2d", "1S", "1 s", "1:30", "1_000s", "99999999999999999999s",
        "9223372036854775807d",
        "~", "", "null", "[1s]", "{s: 1}", "٣s",
    ])
    func notDurations(text: String) {
        let loader = loaded("files:\n  report_every: \(text)\n")
        #expect(loader.errors.count == 1)
        #expect(loader.errors.first?.line == 2)
        #expect(loader.settings == Settings())
    }

    @Test(arguments: [
        ("4096", 4096), ("4096B", 4096), ("4KiB", 4096), ("8MiB", 8 << 20), ("1GiB", 1 << 30), ("1024KiB", 1 << 20), ("0", 0),
        ("\"64KiB\"", 65536),
    ])
    func sizes(text: String, expected: Int) {
        let loader = loaded("rings: {bulk_size: \(text)}")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.ringsBulkSize == expected)
    }

    @Test(arguments: [
        "2048", "4097", "12KiB", "2GiB", "8MB", "8M", "8mib", "0x1000", "010000", "0o10000", "4_096", "-4096", "4.0KiB",
        "9223372036854775807GiB", "~", "[4096]",
    ])
    func notSizes(text: String) {
        let loader = loaded("rings: {bulk_size: \(text)}")
        #expect(loader.errors.count == 1)
        #expect(loader.settings == Settings())
    }

    @Test func thePriorityRingHasNoAutomaticSize() {
        #expect(loaded("rings: {priority_size: 0}").errors.count == 1)
    }

    @Test(arguments: [
        "010", "0x10", "0o17", "1_0", "1e1", "10.0", "yes", "true", "-1", "16", "\"5\"", "'5'", "99999999999999999999", "1:30",
    ])
    func notWholeNumbers(text: String) {
        #expect(loaded("rings: {bulk_count: \(text)}").errors.count == 1)
    }

    @Test(arguments: ["no", "off", "false", "~", "None", "NONE", "[none]", "0"])
    func notWords(text: String) {
        let loader = loaded("processes: {failed: \(text)}")
        #expect(loader.errors.count == 1)
        #expect(loader.settings.processesFailed == .known)
    }

    @Test func words() {
        let loader = loaded("capture: {only: [module, 'exec'], backend: tracepoint}\nprocesses: {actions: [], failed: none}")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.captureOnly == [.exec, .module])
        #expect(loader.settings.captureBackend == .tracepoint)
        #expect(loader.settings.processesActions == [])
        #expect(loader.settings.processesFailed == .none)
    }

    @Test(arguments: ["[]", "exec", "[exec, exec]", "[exce]", "[[exec]]", "{exec: file}", "~", "[~]", "'exec,file'"])
    func notListsOfWords(text: String) {
        #expect(loaded("capture: {only: \(text)}").errors.count == 1)
    }

    @Test func paths() {
        let loader = loaded("files:\n  watch:\n    - /etc/\n    - //usr///bin\n    - /\n    - /a b/ü\n    - /...\n")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.filesWatch == ["/etc", "/usr/bin", "/", "/a b/ü", "/..."])
    }

    @Test(arguments: [
        "/etc", "[etc]", "[./etc]", "[/etc/../x]", "[/./x]", "['']", "[~]", "[/a, /a/]", "[[/a]]", "[\"/a\\0b\"]", "{/etc: 1}",
    ])
    func notPaths(text: String) {
        #expect(loaded("files: {watch: \(text)}").errors.count == 1)
    }

    @Test func pathsAreNoLongerThanTheKernelTakes() {
        #expect(loaded("files: {watch: [/\(String(repeating: "x", count: 4094))]}").errors.isEmpty)
        #expect(loaded("files: {watch: [/\(String(repeating: "x", count: 4095))]}").errors.count == 1)
    }
}
