import ArgumentParser
import Monitor
import Probes

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print events as they happen: on standard output, as text for people or JSON for programs.")

    @OptionGroup var options: WatchOptions

    func run() throws {
        let settings = try options.settings.load()
        let code: Int32
        do throws(ProbeError) {
            code = try Watch.run(settings, format: options.format == .json ? .json : .text, duration: options.duration)
        } catch {
            throw Failure(code: error.exitCode, line: "hypervigil: \(error.description)")
        }
        if code != 0 { throw ExitCode(code) }
    }
}
