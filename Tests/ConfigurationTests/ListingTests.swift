import Foundation
import Testing

@testable import Configuration

struct ListingTests {
    @Test func theListingOfTheDefaultsIsTheDefaults() {
        let loader = loaded(Settings().yaml)
        #expect(loader.errors.isEmpty)
        #expect(loader.settings == Settings())
        // It names every key, so that nothing is default any more.
        #expect(Keys.all.allSatisfy { loader.settings.origin(of: $0) != .default })
    }

    @Test func theListingTellsWhereValuesComeFrom() {
        let listing = loaded("\nrings:\n  wake_at: 7\n", file: "/x/h.yaml").settings.yaml
        #expect(listing.contains("  # Type: percent, 1 to 90. Default: 25.\n  # From: /x/h.yaml:3\n  wake_at: 7\n"))
        #expect(listing.contains("  # Type: duration, 1s to 1d. Default: 30s.\n  # From: default\n  report_every: 30s\n"))
    }

    /// Names that would end a comment, a text or a line.
    @Test(arguments: ["a\nrings: {wake_at: 1}", "a\u{2028}b", "a\u{85}b", "\u{1B}[31m", "a: b", "\"", "#"])
    func aHostileFileNameStaysInItsComment(name: String) {
        let settings = loaded("rings: {wake_at: 7}", file: name).settings
        let again = loaded(settings.yaml)
        #expect(again.errors.isEmpty)
        #expect(again.settings == settings)
    }

    @Test(arguments: 0..<50)
    func everyListingGivesTheSameSettingsAgain(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var overrides: [Override] = []
        func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        let pieces = [
            "a", " ", "#", ": ", "\"", "\\", "\n", "\t", "'", "*", "&", "ü", "\u{85}", "\u{2028}", "\u{FEFF}", "{", "]", ",", "𝄞", "\u{7F}",
            "~", "- ",
        ]
        func path() -> String { "/" + (0...pick(0...12)).map { _ in pieces[pick(0...pieces.count - 1)] }.joined() }
        overrides.append(Override(\.filesWatch, list: Array(Set((0...pick(0...12)).map { _ in path() })), option: "--path"))
        overrides.append(Override(\.filesIgnore, list: [path()], option: "--path"))
        overrides.append(Override(\.filesProfiles, list: Profile.all.shuffled(using: &random).prefix(pick(0...4)).map(\.name), option: "--x"))
        overrides.append(
            Override(
                \.captureOnly, list: CaptureKind.allCases.shuffled(using: &random).prefix(pick(1...3)).map(\.rawValue), option: "--only"))
        overrides.append(Override(\.processesActions, list: Array(["exec", "fork", "exit"].prefix(pick(0...3))), option: "--only"))
        overrides.append(Override(\.ringsBulkSize, String(1 << pick(12...30)), option: "--ring-size"))
        overrides.append(Override(\.filesReportEvery, "\(pick(1000...86_400_000))ms", option: "--x"))
        overrides.append(Override(\.consumerOrderWindow, "\(pick(0...500_000))us", option: "--x"))
        overrides.append(Override(\.limitsHandles, String(pick(1...1_000_000)), option: "--x"))
        var loader = Loader()
        overrides.forEach { loader.apply($0) }
        #expect(loader.errors.isEmpty)
        let again = loaded(loader.settings.yaml)
        #expect(again.errors.isEmpty)
        #expect(again.settings == loader.settings)
        #expect(again.settings.filesWatch == loader.settings.filesWatch)
        #expect(again.settings.consumerOrderWindow == loader.settings.consumerOrderWindow)
    }

    @Test func theCommittedReferenceIsTheOneOfTheTable() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let committed = try String(contentsOf: root.appendingPathComponent("docs/configuration.md"), encoding: .utf8)
        #expect(committed == configurationReference(), "run: hypervigil config show --markdown > docs/configuration.md")
    }

    @Test func theReferenceHasARowForEveryKey() {
        let rows = configurationReference().split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count == Keys.all.count)
        for (row, key) in zip(rows, Keys.all) { #expect(row.hasPrefix("| `\(key.name)` | ")) }
    }
}
