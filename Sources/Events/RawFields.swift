/// The fields whose bytes may be no UTF-8, in the order in which `hypervigil.raw` nests them.
enum RawField: Int, CaseIterable {
    case processArgs, processCommandLine, processExecutable, processName, processWorkingDirectory
    case processParentName, processParentExecutable, processParentCommandLine, processSavedUserName
    case userName, userEffectiveName, userEffectiveGroupName, userAuditName, groupName, sourceAddress
    case filePath, fileTargetPath, fileName, fileDirectory, fileExtension
    case execFilename, execInterpreter, execCgroupPath
    case pathActor, pathInner, pathSpelled
    case targetActor, targetInner, targetSpelled
    case moduleName, moduleArgs, moduleHint
    case changeXattr, mountSource, mountType
    case loginTerminal

    /// The field's name, one component after the other; "" behind the last.
    var components: (StaticString, StaticString, StaticString, StaticString) {
        switch self {
        case .processArgs: ("process", "args", "", "")
        case .processCommandLine: ("process", "command_line", "", "")
        case .processExecutable: ("process", "executable", "", "")
        case .processName: ("process", "name", "", "")
        case .processWorkingDirectory: ("process", "working_directory", "", "")
        case .processParentName: ("process", "parent", "name", "")
        case .processParentExecutable: ("process", "parent", "executable", "")
        case .processParentCommandLine: ("process", "parent", "command_line", "")
        case .processSavedUserName: ("process", "saved_user", "name", "")
        case .userName: ("user", "name", "", "")
        case .userEffectiveName: ("user", "effective", "name", "")
        case .userEffectiveGroupName: ("user", "effective", "group", "name")
        case .userAuditName: ("user", "audit", "name", "")
        case .groupName: ("group", "name", "", "")
        case .sourceAddress: ("source", "address", "", "")
        case .filePath: ("file", "path", "", "")
        case .fileTargetPath: ("file", "target_path", "", "")
        case .fileName: ("file", "name", "", "")
        case .fileDirectory: ("file", "directory", "", "")
        case .fileExtension: ("file", "extension", "", "")
        case .execFilename: ("hypervigil", "process", "filename", "")
        case .execInterpreter: ("hypervigil", "process", "interpreter", "")
        case .execCgroupPath: ("hypervigil", "process", "cgroup", "path")
        case .pathActor: ("hypervigil", "path", "actor", "")
        case .pathInner: ("hypervigil", "path", "inner", "")
        case .pathSpelled: ("hypervigil", "path", "spelled", "")
        case .targetActor: ("hypervigil", "target", "actor", "")
        case .targetInner: ("hypervigil", "target", "inner", "")
        case .targetSpelled: ("hypervigil", "target", "spelled", "")
        case .moduleName: ("hypervigil", "module", "name", "")
        case .moduleArgs: ("hypervigil", "module", "args", "")
        case .moduleHint: ("hypervigil", "module", "file_hint", "")
        case .changeXattr: ("hypervigil", "change", "xattr", "")
        case .mountSource: ("hypervigil", "mount", "source", "")
        case .mountType: ("hypervigil", "mount", "type", "")
        case .loginTerminal: ("hypervigil", "login", "terminal", "")
        }
    }

    func component(_ depth: Int) -> StaticString {
        let (first, second, third, fourth) = components
        return switch depth {
        case 0: first
        case 1: second
        case 2: third
        case 3: fourth
        default: ""
        }
    }

    var depth: Int {
        var depth = 0
        while component(depth).utf8CodeUnitCount > 0 { depth += 1 }
        return depth
    }

    /// How many leading components two fields share.
    func shared(with other: RawField) -> Int {
        var depth = 0
        while component(depth).utf8CodeUnitCount > 0, component(depth).equals(other.component(depth)) { depth += 1 }
        return depth
    }
}

extension StaticString {
    fileprivate func equals(_ other: StaticString) -> Bool {
        guard utf8CodeUnitCount == other.utf8CodeUnitCount else { return false }
        for index in 0..<utf8CodeUnitCount where utf8Start[index] != other.utf8Start[index] { return false }
        return true
    }
}

/// The bytes of fields in which something was replaced by U+FFFD, until `hypervigil.raw` is written at the event's end.
struct RawFields: ~Copyable {
    private var present: UInt64 = 0
    private let values: UnsafeMutablePointer<UnsafeRawBufferPointer>

    init() {
        values = .allocate(capacity: RawField.allCases.count)
        values.initialize(repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: RawField.allCases.count)
    }

    deinit { values.deallocate() }

    @inline(__always) var isEmpty: Bool { present == 0 }
    @inline(__always) mutating func clear() { present = 0 }

    /// The bytes must stay until `write`.
    @inline(never)
    mutating func note(_ field: RawField, _ bytes: UnsafeRawBufferPointer) {
        present |= 1 << UInt64(field.rawValue)
        values[field.rawValue] = bytes
    }

    /// Writes `,"raw":{...}`. Arguments become an array with every one of them in base64, so that the places agree with
    /// `process.args`; the command line is the arguments' bytes with spaces between them.
    @inline(never)
    func write(_ cursor: inout Cursor) {
        cursor.put(",\"raw\":{")
        var previous: RawField?
        for field in RawField.allCases where present & 1 << UInt64(field.rawValue) != 0 {
            var depth = 0
            if let previous {
                depth = field.shared(with: previous)
                for _ in depth..<(previous.depth - 1) { cursor.put(UInt8(ascii: "}")) }
                cursor.put(UInt8(ascii: ","))
            }
            while depth < field.depth {
                let name = field.component(depth)
                cursor.put(UInt8(ascii: "\""))
                cursor.copy(name.utf8Start, name.utf8CodeUnitCount)
                cursor.put("\":")
                depth += 1
                if depth < field.depth { cursor.put(UInt8(ascii: "{")) }
            }
            value(field, values[field.rawValue], &cursor)
            previous = field
        }
        if let previous { for _ in 1..<previous.depth { cursor.put(UInt8(ascii: "}")) } }
        cursor.put(UInt8(ascii: "}"))
    }

    private func value(_ field: RawField, _ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        guard let start = bytes.baseAddress else {
            cursor.put("\"\"")
            return
        }
        cursor.put(field == .processArgs ? "[\"" : "\"")
        if field == .processArgs {
            var from = 0
            for index in 0...bytes.count where index == bytes.count || bytes[index] == 0 {
                Base64.write(start + from, index - from, &cursor)
                from = index + 1
                if index < bytes.count { cursor.put("\",\"") }
            }
        } else if field == .processCommandLine || field == .processParentCommandLine {
            Base64.write(start, bytes.count, &cursor, nul: UInt8(ascii: " "))
        } else {
            Base64.write(start, bytes.count, &cursor)
        }
        cursor.put(field == .processArgs ? "\"]" : "\"")
    }
}
