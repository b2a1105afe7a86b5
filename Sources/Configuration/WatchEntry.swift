internal import FilterLanguage

/// What can happen to a file, in the words of events, in the order of `enum hv_file_action` (bpf/record.h).
package enum FileAction: String, CaseIterable, Sendable {
    case create, write, rename, delete, truncate, link, symlink, mkdir, rmdir, mknod, chmod, chown, utimes, setxattr, removexattr, setflags
    case mmapWrite = "mmap-write"
    case mount, umount
    case kernelParameter = "kernel-parameter"
}

/// An entry of files.watch or files.ignore.
package struct WatchEntry: Sendable, Equatable, ExpressibleByStringLiteral {
    /// A path or a pattern as it was written, without slashes that mean nothing.
    package let path: String
    /// Nil: all.
    package let actions: [FileAction]?

    package init(path: String, actions: [FileAction]? = nil) {
        self.path = path
        self.actions = actions
    }

    package init(stringLiteral path: String) { self.init(path: path) }

    /// The paths and patterns that it stands for: one for each choice of its braces.
    package var alternatives: [String] { Braces.alternatives(of: path) ?? [path] }
}

/// `{a,b}` in patterns. A brace without a comma in it, or without its other end, stands for itself, as in shells.
enum Braces {
    /// Alternatives of one entry; what is written in a line may not fill the machine.
    static let mostAlternatives = 256

    /// - Returns: nil where there are more than that.
    static func alternatives(of text: String) -> [String]? {
        guard text.utf8.contains(0x7b) else { return [text] }
        guard let found = expand(Array(text.utf8)[...]) else { return nil }
        // What is left without a wildcard is a plain path, which is taken as it is.
        return found.map { String(decoding: $0.contains { $0 == 0x2a || $0 == 0x3f || $0 == 0x5b } ? $0 : unescaped($0), as: UTF8.self) }
    }

    private static func unescaped(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() { result.append(byte == 0x5c ? rest.popFirst() ?? byte : byte) }
        return result
    }

    private static func expand(_ text: ArraySlice<UInt8>) -> [[UInt8]]? {
        var results: [[UInt8]] = [[]]
        var at = text.startIndex
        while at < text.endIndex {
            if text[at] == 0x5c, at + 1 < text.endIndex {
                for index in results.indices { results[index] += text[at...at + 1] }
                at += 2
            } else if text[at] == 0x7b, let (choices, end) = choices(text, at) {
                var next: [[UInt8]] = []
                for choice in choices {
                    guard let tails = expand(choice), next.count + results.count * tails.count <= mostAlternatives else { return nil }
                    for result in results { next += tails.map { result + $0 } }
                }
                results = next
                at = end
            } else {
                for index in results.indices { results[index].append(text[at]) }
                at += 1
            }
        }
        return results
    }

    /// What stands between the commas of the brace that opens at `start`, and the place behind it; nil where it stands for itself.
    private static func choices(_ text: ArraySlice<UInt8>, _ start: Int) -> ([ArraySlice<UInt8>], Int)? {
        var depth = 0
        var from = start + 1
        var choices: [ArraySlice<UInt8>] = []
        var at = start
        while at < text.endIndex {
            switch text[at] {
            case 0x5c: at += 1
            case 0x7b: depth += 1
            case 0x2c where depth == 1:
                choices.append(text[from..<at])
                from = at + 1
            case 0x7d:
                depth -= 1
                if depth == 0 {
                    guard !choices.isEmpty else { return nil }
                    return (choices + [text[from..<at]], at + 1)
                }
            default: break
            }
            at += 1
        }
        return nil
    }
}

extension ValueType<[WatchEntry]> {
    /// Absolute paths and patterns without `.` and `..`, each once; slashes that mean nothing are dropped.
    static func watchEntries(withActions: Bool = true) -> Self {
        let description = "list of absolute paths" + (withActions ? ", or of mappings with path and actions" : "")
        return ValueType(description: description) { tree throws(Complaint) in
            var entries: [WatchEntry] = []
            var found: Set<String> = []
            for item in try items(tree, "list of absolute paths") {
                let entry = try withActions ? entry(item) : WatchEntry(path: path(item))
                guard found.insert(entry.path).inserted else {
                    throw Complaint(item.position, "\(quoted(entry.path)) is there twice", hint: "remove one")
                }
                entries.append(entry)
            }
            return entries
        } render: { entries in
            .list(
                entries.map { entry in
                    guard let actions = entry.actions else { return yamlScalar(entry.path) }
                    return "{path: \(yamlScalar(entry.path)), actions: [\(actions.map(\.rawValue).joined(separator: ", "))]}"
                })
        }
    }
}

extension ValueType<[String]> {
    /// Absolute paths of files, as they are, each once.
    static func paths() -> Self {
        ValueType(description: "list of absolute paths") { tree throws(Complaint) in
            var paths: [String] = []
            for item in try items(tree, "list of absolute paths") {
                let found = try path(item)
                guard !paths.contains(found) else { throw Complaint(item.position, "\(quoted(found)) is there twice", hint: "remove one") }
                paths.append(found)
            }
            return paths
        } render: {
            .list($0.map { yamlScalar($0) })
        }
    }
}

private func entry(_ tree: Tree) throws(Complaint) -> WatchEntry {
    guard case .mapping(let pairs) = tree.content else { return WatchEntry(path: try path(tree)) }
    var written: String?
    var actions: [FileAction]?
    for (key, value) in pairs {
        switch try oneValue(key, "path or actions") {
        case "path": written = try path(value)
        case "actions": actions = try ValueType<[FileAction]>.words(atLeast: 1).parse(value)
        case let name:
            throw Complaint(key.position, "unknown key \(quoted(name))", hint: "an entry has a path and actions")
        }
    }
    guard let written else { throw Complaint(tree.position, "the entry has no path", hint: "write {path: PATH, actions: [ACTION, ...]}") }
    return WatchEntry(path: written, actions: actions)
}

/// Linux's PATH_MAX less the NUL (include/uapi/linux/limits.h).
private let longestPath = 4095

private func path(_ tree: Tree) throws(Complaint) -> String {
    let text = try oneValue(tree, "an absolute path")
    guard text.hasPrefix("/"), !tree.isNull else {
        throw Complaint(tree.position, "\(quoted(text)) is not an absolute path", hint: "begin it with /")
    }
    guard !text.utf8.contains(0), text.utf8.count <= longestPath else {
        throw Complaint(tree.position, "\(quoted(text)) can't be a path", hint: "no path has a NUL or more than \(longestPath) bytes")
    }
    guard let alternatives = Braces.alternatives(of: text) else {
        throw Complaint(tree.position, "\(quoted(text)) stands for more than \(Braces.mostAlternatives) paths", hint: "make several entries of it")
    }
    for alternative in alternatives {
        let components = alternative.split(separator: "/")
        guard !components.contains("."), !components.contains("..") else {
            throw Complaint(tree.position, "\(quoted(text)) has . or .. in it", hint: "write the path without them")
        }
    }
    return "/" + text.split(separator: "/").joined(separator: "/")
}
