import ArgumentParser

/// The options of `hypervigil watch`.
struct WatchOptions: ParsableArguments {
    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @OptionGroup var settings: SettingOptions

    @Option(name: .customLong("duration"), help: ArgumentHelp("End after this many seconds.", valueName: "seconds"))
    var durationSeconds: Double?

    @Option(help: "How to print events: text for people, json for programs.")
    var format: Format = .text

    /// nil: until a signal ends it.
    var duration: Duration? { durationSeconds.map { .seconds($0) } }

    func validate() throws {
        // Ten years; a Duration holds more, a timer need not.
        let longest = 315_360_000.0
        guard let durationSeconds, !(durationSeconds > 0 && durationSeconds <= longest) else { return }
        throw ValidationError("--duration \(durationSeconds) is not a time to wait: give seconds, more than 0")
    }
}
