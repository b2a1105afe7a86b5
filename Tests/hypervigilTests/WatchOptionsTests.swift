import ArgumentParser
import Configuration
import FilterLanguage
import Testing

@testable import hypervigil

struct WatchOptionsTests {
    @Test func everyOptionArrives() throws {
        let options = try WatchOptions.parse([
            "--duration", "1.5", "--only", "exec, file", "--path", "/x", "--path", "/y", "--backend", "fentry", "--format", "json", "--ring-size",
            "1MiB", "--filter", "process.pid == 1",
        ])
        #expect(options.duration == .milliseconds(1500))
        #expect(options.format == .json)
        let (settings, errors) = Settings.check(overrides: options.settings.overrides)
        #expect(errors.isEmpty)
        #expect(settings.captureOnly == [.exec, .file])
        #expect(settings.filesWatch == ["/x", "/y"])
        #expect(settings.watchList.map(\.path) == ["/x", "/y"])
        #expect(settings.captureBackend == .fentry)
        #expect(settings.eventsFilter?.text == "process.pid == 1")
        #expect(settings.ringsBulkSize == 1 << 20)
    }

    @Test func withoutOptionsNothingIsOverridden() throws {
        let options = try WatchOptions.parse([])
        #expect(options.duration == nil)
        #expect(options.format == .text)
        #expect(options.settings.overrides.isEmpty)
    }

    @Test(arguments: ["0", "-1", "nan", "inf", "-inf", "1e300", "1s", ""])
    func notADuration(text: String) {
        #expect(throws: (any Error).self) { try WatchOptions.parse(["--duration=\(text)"]) }
    }

    @Test(arguments: ["xml", "JSON", ""])
    func notAFormat(text: String) {
        #expect(throws: (any Error).self) { try WatchOptions.parse(["--format=\(text)"]) }
    }
}
