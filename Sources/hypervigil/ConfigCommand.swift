import ArgumentParser
import Configuration
import Glibc
import Monitor
import Redaction

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The configuration: check it, show it.", subcommands: [Check.self, Show.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Check the configuration; every error is a line on standard error.",
            discussion: "Exits with 0 if all is well, with 78 if not.")

        @OptionGroup var options: SettingOptions

        func run() throws {
            let (settings, errors) = Settings.check(file: options.config, overrides: options.overrides)
            var failures = errors.map { Failure($0) }
            do throws(ConfigurationError) {
                _ = try Redactor.configured(settings)
            } catch {
                failures.append(Failure(error))
            }
            guard let first = failures.first else { return }
            failures.forEach { Output.complain($0) }
            throw ExitCode(first.code)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print the configuration in force, with where each value came from.")

        @OptionGroup var options: SettingOptions

        @Flag(help: "Print the reference documentation of all keys instead.")
        var markdown = false

        func run() throws {
            if markdown { return try Output.write(configurationReference()) }
            let settings = try options.load()
            try Output.write(settings.yaml(profiles: Profile.states(settings)))
        }
    }
}
