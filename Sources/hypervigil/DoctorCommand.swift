import ArgumentParser
import Monitor
import Probes

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this kernel can show, hook by hook, and why not what it can't. Exit 0: all of it, 1: degraded, 2: nothing works.")

    @OptionGroup var settings: SettingOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let settings = try settings.load()
        let report: Doctor
        do throws(ProbeError) {
            report = try Doctor(settings)
        } catch {
            throw Failure(code: error.exitCode, line: "hypervigil: \(error.description)")
        }
        try Output.write(json ? report.json : report.text)
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }
}
