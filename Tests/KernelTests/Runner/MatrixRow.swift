import CActs
import Foundation

/// An event that a row of the matrix has to cause.
///
/// Paths are relative to the row's watched folder (empty: the folder itself), those that begin with `^` to the one outside, those
/// that begin with `/` are as they are. Where there are several, any one will do.
struct Expected {
    /// What a field has to be. Identifiers are strings in JSON; a mode is compared by its permissions.
    enum Value {
        case string(String)
        case number(Int)
        case mode(Int)
        case flag(Bool)
        /// One of the words of a string or an array.
        case word(String)
        /// A path that ends so.
        case suffix(String)
        /// The row's note of that number, as an identifier.
        case note(Int)
        case path(String)
        /// There, whatever it is.
        case present
        case absent
    }

    var action: String
    /// Another action that will do.
    var otherAction: String?
    var paths: [String]
    var fields: [(name: String, value: Value)] = []
    /// The process by its number in the scene; nil: whoever.
    var author: Int? = 0
    /// It may be missing; where it comes, it has to be as told.
    var optional = false

    /// An event of a name or an attribute.
    static func event(_ action: String, _ path: String, _ fields: [(String, Value)] = [], target: String? = nil) -> Expected {
        var expected = Expected(action: action, paths: [path], fields: fields.map { (name: $0.0, value: $0.1) })
        expected.fields.append((name: "event.outcome", value: .string("success")))
        if let target { expected.fields.append((name: "file.target_path", value: .path(target))) }
        return expected
    }

    static func refused(_ action: String, _ path: String, _ error: String) -> Expected {
        let fields: [(name: String, value: Value)] = [("event.outcome", .string("failure")), ("error.code", .string(error))]
        return Expected(action: action, paths: [path], fields: fields)
    }

    /// Both events of writing through one handle by one process: the first change and the totals.
    ///
    /// - Parameters:
    ///   - size: bytes of the file before and when it is closed; nil where others change it too.
    ///   - operations: how many writes; nil where the kernel decides.
    static func write(
        _ paths: String..., via: String = "write", operations: Int? = 1, before: Int? = 10, after: Int? = nil, author: Int? = 0,
        _ fields: [(String, Value)] = []
    ) -> [Expected] {
        let common: [(name: String, value: Value)] = [("hypervigil.write.via", .word(via))] + fields.map { (name: $0.0, value: $0.1) }
        var totals: [(name: String, value: Value)] = [("hypervigil.write.open", .flag(false))]
        if let operations { totals.append(("hypervigil.write.operations", .number(operations))) }
        if let before { totals.append(("hypervigil.write.size_before", .number(before))) }
        if let after { totals.append(("file.size", .number(after))) }
        return [
            Expected(action: "write", paths: paths, fields: [("hypervigil.write.open", .flag(true))] + common, author: author),
            Expected(action: "write", paths: paths, fields: totals + common, author: author),
        ]
    }

    var description: String {
        let open = fields.first { $0.name == "hypervigil.write.open" }
        if case .flag(let open) = open?.value { return "\(action) (\(open ? "first" : "totals")) of \(paths[0])" }
        return "\(action) of \(paths[0].isEmpty ? "the folder" : paths[0])"
    }
}

/// One row: the act by its name in C, what it causes, and where that can't be seen.
struct Row {
    var name: String
    var expected: [Expected]
    /// The row's folder is a watched root itself, not a folder in one.
    var isRoot = false
    /// What is watched instead of the folder.
    var watches: String?
    var gaps: [Gap] = []

    init(_ name: String, _ expected: [Expected], isRoot: Bool = false, watches: String? = nil, gaps: [Gap] = []) {
        self.name = name
        self.expected = expected
        self.isRoot = isRoot
        self.watches = watches
        self.gaps = gaps
    }
}

/// Where a row can't be seen, and why. What is nil holds for all.
struct Gap {
    var style: String?
    var fileSystems: [String]?
    var kernels: ClosedRange<Int>?
    var reason: String

    init(_ reason: String, style: String? = nil, on fileSystems: [String]? = nil, kernels: ClosedRange<Int>? = nil) {
        self.reason = reason
        self.style = style
        self.fileSystems = fileSystems
        self.kernels = kernels
    }

    func holds(style: String, fileSystem: String) -> Bool {
        if let wanted = self.style, wanted != style { return false }
        if let fileSystems, !fileSystems.contains(fileSystem) { return false }
        return kernels?.contains(Context.kernelNumber) ?? true
    }
}

extension Context {
    /// The kernel's version as a number: 6.12 is 612, 5.10 is 510.
    static var kernelNumber: Int {
        let parts = kernelRelease.split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
        return parts.count == 2 ? parts[0] * 100 + parts[1] : 0
    }
}
