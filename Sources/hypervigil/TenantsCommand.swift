import ArgumentParser
import Configuration
import Monitor

struct TenantsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants", abstract: "List the virtual machines and containers that are known now. Loads nothing into the kernel.")

    @Option(help: ArgumentHelp("Configuration file (default: \(Settings.defaultFile), if there is one).", valueName: "file"))
    var config: String?

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        let settings = try Settings.load(file: config, overrides: [])
        let list: TenantList
        do throws(TenantList.Failure) {
            list = try TenantList(settings)
        } catch {
            throw Failure(code: error.exitCode, line: "hypervigil: \(error.line)")
        }
        for note in list.notes { Output.complain("hypervigil: \(note)") }
        try Output.write(json ? list.json : list.text)
    }
}
