import Testing

@testable import Configuration

struct PathListTests {
    @Test func paths() {
        let loader = loaded("attribution: {vmms: [/opt/a/firecracker, '/srv//b c']}\n")
        #expect(loader.errors.isEmpty)
        #expect(loader.settings.attributionVmms == ["/opt/a/firecracker", "/srv/b c"])
        #expect(Settings().attributionVmms.isEmpty)
    }

    @Test(arguments: ["[qemu]", "/opt/qemu", "[/a, /a]", "[/a/../b]", "{a: b}"]) func wrong(value: String) {
        #expect(loaded("attribution: {vmms: \(value)}\n").errors.count == 1)
    }
}
