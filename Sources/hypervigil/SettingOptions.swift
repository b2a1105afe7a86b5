import ArgumentParser
import Configuration
import Glibc
import Monitor
import Redaction

/// The options that say which configuration is in force.
struct SettingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Configuration file (default: \(Settings.defaultFile), if there is one).", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Capture only these: a list of exec, file, module.", valueName: "exec,file,module"))
    var only: String?

    @Option(help: ArgumentHelp("Watch this tree or file, instead of the configured ones; may be repeated.", valueName: "path"))
    var path: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only events that this holds for, as in 'process.name == \"sshd\" and not file.path startswith \"/var/log\"' (docs/filters.md).",
            valueName: "expression"))
    var filter: String?

    @Option(help: ArgumentHelp("Style of attachment.", valueName: "auto|fentry|tracepoint"))
    var backend: String?

    @Option(help: ArgumentHelp("Size of each bulk ring, in bytes or as in 8MiB; a power of two.", valueName: "bytes"))
    var ringSize: String?

    var overrides: [Override] {
        var overrides: [Override] = []
        if let only {
            let kinds = only.split(separator: ",").map { String($0.drop { $0 == " " }) }
            overrides.append(Override(\.captureOnly, list: kinds, option: "--only"))
        }
        if !path.isEmpty {
            overrides.append(Override(\.filesWatch, list: path.map(absolute), option: "--path"))
            overrides.append(Override(\.filesProfiles, "none", option: "--path"))
        }
        if let filter { overrides.append(Override(\.eventsFilter, filter, option: "--filter")) }
        if let backend { overrides.append(Override(\.captureBackend, backend, option: "--backend")) }
        if let ringSize { overrides.append(Override(\.ringsBulkSize, ringSize, option: "--ring-size")) }
        return overrides
    }

    func load() throws(ConfigurationError) -> Settings {
        let settings = try Settings.load(file: config, overrides: overrides)
        // Whether expressions are such is not known before they are compiled.
        _ = try Redactor.configured(settings)
        return settings
    }
}

/// `path` from the root. What can't be resolved stays as it is, for the check of the setting to name.
private func absolute(_ path: String) -> String {
    // Names with dots are left to the kernel, which knows where symbolic links lead.
    let hasDots = path.split(separator: "/").contains { $0 == "." || $0 == ".." }
    if hasDots, let real = realpath(path, nil) {
        defer { free(real) }
        return String(cString: real)
    }
    guard !path.hasPrefix("/"), !path.isEmpty, let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return String(cString: directory) + "/" + path
}
