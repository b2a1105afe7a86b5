import ArgumentParser
import Configuration
import Glibc

/// The root of the command line. A subcommand is listed here once it works.
struct Hypervigil: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hypervigil",
        abstract: "Watches a shared server: every exec, every change of a watched file, every kernel module, and whose it was.",
        version: "0.1.0",
        subcommands: [DoctorCommand.self, WatchCommand.self, TenantsCommand.self, ConfigCommand.self])

    /// Runs the command that `arguments` name. An error is one line on standard error.
    /// - Returns: the exit code, as sysexits(3) has them.
    static func launch(_ arguments: [String]) -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
            return EX_OK
        } catch let failure as Failure {
            Output.complain(failure)
            return failure.code
        } catch let error as ConfigurationError {
            let failure = Failure(error)
            Output.complain(failure)
            return failure.code
        } catch {
            return finish(error, arguments)
        }
    }

    /// What the argument parser has to say: help and versions, or a wrong use.
    private static func finish(_ error: any Error, _ arguments: [String]) -> Int32 {
        let code = exitCode(for: error).rawValue
        let text = message(for: error)
        if code == EX_OK {
            do {
                if !text.isEmpty { try Output.write(text.hasSuffix("\n") ? text : text + "\n") }
                return EX_OK
            } catch {
                Output.complain(error.line)
                return error.code
            }
        }
        // An exit code alone, from a command that has said what it had to.
        if text.isEmpty { return code }
        let sentence = text.hasSuffix(".") ? String(text.dropLast()) : text
        let first = sentence.prefix(1).lowercased() + sentence.dropFirst()
        Output.complain("hypervigil: \(first)\(first.hasSuffix("?") ? " See" : "; see") \(commandNamed(by: arguments)) --help")
        return code
    }

    /// The command as far as `arguments` name one.
    private static func commandNamed(by arguments: [String]) -> String {
        var words = ["hypervigil"]
        var command: any ParsableCommand.Type = Hypervigil.self
        for argument in arguments {
            guard let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == argument }) else { continue }
            command = next
            words.append(argument)
        }
        return words.joined(separator: " ")
    }
}

/// Why the program ends with an exit code other than 0: one line, and the code.
struct Failure: Error {
    let code: Int32
    let line: String
    /// What is shown below it: a filter, and carets under the place in it.
    let excerpt: [String]

    /// - Parameter code: as sysexits(3) has it.
    init(code: Int32, line: String, excerpt: [String] = []) {
        self.code = code
        self.line = line
        self.excerpt = excerpt
    }

    /// What comes from the command line is a wrong use, what comes from a file a wrong configuration.
    init(_ error: ConfigurationError) {
        switch error.place {
        case .option: self.init(code: EX_USAGE, line: "hypervigil: \(error)", excerpt: error.excerpt)
        case .file, .position: self.init(code: EX_CONFIG, line: "\(error)", excerpt: error.excerpt)
        }
    }
}
