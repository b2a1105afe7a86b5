internal import FilterLanguage

extension Settings {
    package static let defaultFile = "/etc/hypervigil/hypervigil.yaml"

    /// The settings of a file, of `conf.d/*.yaml` beside it, and of the command line.
    ///
    /// A later source goes before an earlier one, key by key: defaults, the file, the files of conf.d by name, the command line.
    /// - Parameter file: nil for `defaultFile`, which may be missing; a file that is named must exist.
    /// - Throws: the first error.
    package static func load(file: String? = nil, overrides: [Override] = []) throws(ConfigurationError) -> Settings {
        let (settings, errors) = check(file: file, overrides: overrides)
        if let first = errors.first { throw first }
        return settings
    }

    /// The same with every error. Settings that are in error keep the value that they had before.
    package static func check(file: String? = nil, overrides: [Override] = []) -> (settings: Settings, errors: [ConfigurationError]) {
        var loader = Loader()
        loader.read(file ?? defaultFile, mayBeMissing: file == nil)
        loader.readFolder(beside: file ?? defaultFile)
        overrides.forEach { loader.apply($0) }
        return (loader.settings, loader.errors)
    }
}

struct Loader {
    private(set) var settings = Settings()
    private(set) var errors: [ConfigurationError] = []
    private let mostFiles = 1000

    mutating func read(_ file: String, mayBeMissing: Bool) {
        do throws(Files.Failure) {
            let bytes = try Files.read(file, limit: YAMLReader.largestFile)
            merge(bytes, file: file)
        } catch {
            if !(mayBeMissing && error.isMissing) { fail(.file(file), error) }
        }
    }

    /// `conf.d/*.yaml` in the directory of `file`, without hidden files, by name.
    mutating func readFolder(beside file: String) {
        let folder = directory(of: file) + "conf.d"
        do throws(Files.Failure) {
            let names = try Files.names(in: folder).filter { !$0.hasPrefix(".") }
            for name in names where name.hasSuffix(".yml") {
                fail(.file("\(folder)/\(name)"), Files.Failure("is not read for its name", hint: "rename it to end in .yaml"))
            }
            let files = names.filter { $0.hasSuffix(".yaml") }
            guard files.count <= mostFiles else {
                throw Files.Failure("has more than \(mostFiles) files", hint: "join some of them")
            }
            for name in files { read("\(folder)/\(name)", mayBeMissing: false) }
        } catch {
            fail(.file(folder), error)
        }
    }

    mutating func merge(_ bytes: [UInt8], file: String) {
        do throws(Complaint) {
            guard let root = try YAMLReader.read(bytes), !root.isNull else { return }
            guard case .mapping(let sections) = root.content else {
                throw Complaint(
                    root.position, "the file holds \(root.kind), not sections of keys",
                    hint: "begin with a section such as \(Keys.sections[0]):")
            }
            for (name, value) in sections { mergeSection(name, value, file: file) }
        } catch {
            fail(error, file: file)
        }
    }

    mutating func apply(_ override: Override) {
        do throws(Complaint) {
            try settings.set(override.key, to: override.tree, from: .option(override.option))
        } catch {
            errors.append(
                ConfigurationError(place: .option(override.option), message: error.message, hint: error.hint, excerpt: error.excerpt))
        }
    }

    private mutating func mergeSection(_ name: Tree, _ value: Tree, file: String) {
        do throws(Complaint) {
            let section = try keyText(name)
            guard Keys.sections.contains(section) else { throw unknown(section, in: "", at: name.position) }
            // All keys of it may be commented out.
            if value.isNull { return }
            guard case .mapping(let pairs) = value.content else {
                throw Complaint(
                    value.position, "\(section) is a section of keys, not \(value.kind)", hint: "write its keys below it, indented")
            }
            for (key, value) in pairs { mergeKey(key, value, section: section, file: file) }
        } catch {
            fail(error, file: file)
        }
    }

    private mutating func mergeKey(_ name: Tree, _ value: Tree, section: String, file: String) {
        do throws(Complaint) {
            let leaf = try keyText(name)
            guard let key = Keys.named("\(section).\(leaf)") else { throw unknown(leaf, in: section, at: name.position) }
            try settings.set(key, to: value, from: .file(file, line: name.position.line))
        } catch {
            fail(error, file: file)
        }
    }

    private func keyText(_ tree: Tree) throws(Complaint) -> String {
        guard case .text(let text, _) = tree.content else {
            throw Complaint(tree.position, "a key is a word, not \(tree.kind)", hint: "write a key such as \(Keys.all[0].leaf)")
        }
        return text
    }

    private func unknown(_ name: String, in section: String, at position: Position) -> Complaint {
        let nearest = Keys.nearest(to: name, section: section)
        let full = section.isEmpty ? name : "\(section).\(name)"
        // A key at the top level under its whole name, or in the wrong place: its name alone would not say what to do.
        let dot = nearest.firstIndex(of: ".")
        let placed = dot.map { "\(nearest) (\(nearest[nearest.index(after: $0)...]): below \(nearest[..<$0]):)" }
        let isElsewhere = dot.map { String(nearest[..<$0]) != section } ?? false
        return Complaint(
            position, "unknown key \(quoted(full))", hint: "the nearest valid key is \(isElsewhere ? placed ?? nearest : nearest)")
    }

    private mutating func fail(_ complaint: Complaint, file: String) {
        errors.append(
            ConfigurationError(
                place: .position(file: file, line: complaint.position.line, column: complaint.position.column), message: complaint.message,
                hint: complaint.hint, excerpt: complaint.excerpt))
    }

    private mutating func fail(_ place: ConfigurationError.Place, _ failure: Files.Failure) {
        errors.append(ConfigurationError(place: place, message: failure.message, hint: failure.hint))
    }

    /// With its slash; empty for a file in the working directory.
    private func directory(of file: String) -> String {
        String(file.lastIndex(of: "/").map { file[...$0] } ?? "")
    }
}
