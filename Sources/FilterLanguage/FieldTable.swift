/// One row of the table of fields.
package struct FieldRow: Sendable {
    package let name: String
    package let field: Field
    package let type: FieldType
    /// All values that the field can have, where these are few; a comparison with another is an error.
    package let words: [String]?
    /// Which events can have it, for the reference.
    let carriers: String
}

extension Field {
    /// Every field, in the order of the reference.
    package static let table: [FieldRow] = {
        var rows: [FieldRow] = []
        func add(_ name: String, _ field: Field, _ carriers: String) {
            rows.append(FieldRow(name: name, field: field, type: field.type, words: field.words, carriers: carriers))
        }
        func add(_ place: ObjectPlace, _ carriers: String) {
            for field in ObjectField.allCases { add("\(place.rawValue).\(field.rawValue)", .object(place, field), carriers) }
        }
        for field in EventField.allCases { add(field.rawValue, .event(field), field == .errorCode ? "outcome failure" : "all") }
        for field in ActorField.allCases { add(field.rawValue, .actor(field), "all") }
        for field in FactField.allCases { add(field.rawValue, .facts(field), "all, where it is known") }
        for field in ExecField.allCases { add(field.rawValue, .exec(field), "exec") }
        add(.executable, "exec")
        add(.script, "exec of a script")
        for field in ForkField.allCases { add(field.rawValue, .forker(field), "fork") }
        for field in ExitField.allCases { add(field.rawValue, .exit(field), "exit") }
        for field in FileField.allCases { add(field.rawValue, .file(field), field.carriers) }
        add(.file, "files, module-load from a file")
        add(.target, "rename over another")
        for field in ModuleField.allCases { add(field.rawValue, .module(field), "modules") }
        add(.moduleHint, "module-load from memory")
        return rows
    }()

    private static let byName = Dictionary(uniqueKeysWithValues: table.map { ($0.name, $0) })

    static func named(_ name: String) -> FieldRow? { byName[name] }

    /// The field that somebody who wrote `name` most likely meant.
    static func nearest(to name: String) -> String {
        func distance(_ row: FieldRow) -> Int {
            // The last part, or all but the first, is what people remember.
            let tail = row.name.split(separator: ".").dropFirst().joined(separator: ".")
            return min(editDistance(name, row.name), editDistance(name, tail) + 1)
        }
        return table.map { ($0.name, distance($0)) }.min { $0.1 < $1.1 }?.0 ?? ""
    }

    package var type: FieldType {
        switch self {
        case .event(let field):
            switch field {
            case .category, .type: .strings
            case .severity: .number
            case .kind, .action, .outcome, .errorCode: .string
            }
        case .actor(let field):
            switch field {
            case .pid, .thread, .parentPid, .terminalMajor, .terminalMinor: .number
            case .name, .parentName, .capabilities: .string
            case .interactive: .boolean
            case .flags: .strings
            case .savedUser, .savedGroup, .user, .effectiveUser, .effectiveGroup, .loginUser, .group, .mountNamespace, .pidNamespace, .userNamespace,
                .networkNamespace, .ipcNamespace, .utsNamespace, .cgroupNamespace, .cgroup, .session:
                .identifier
            }
        case .facts(let field):
            switch field {
            case .args, .ancestorNames, .ancestorExecutables: .strings
            case .namesClaimed, .unpackaged: .boolean
            case .innerUser, .innerGroup: .identifier
            default: .string
            }
        case .exec(let field):
            switch field {
            case .directory, .filename, .interpreter, .capabilitiesBefore, .cgroupPath: .string
            case .argsCount, .argsSize, .callingThread: .number
            case .fileless, .memfd, .argsTruncated, .scriptFileless: .boolean
            case .uidBefore, .effectiveUidBefore, .savedUidBefore, .gidBefore, .effectiveGidBefore, .savedGidBefore: .identifier
            case .truncated, .unreadable: .strings
            }
        case .forker: .number
        case .exit(let field): field == .coreDumped ? .boolean : .number
        case .file(let field):
            switch field {
            case .path, .directory, .name, .fileExtension, .actorPath, .innerPath, .spelledPath, .targetPath, .targetActorPath, .targetInnerPath,
                .targetSpelled, .newMode, .modeBefore, .xattr, .nodeDevice, .mountOperation, .mountSource, .mountType:
                .string
            case .pathFlags, .targetFlags, .via, .newFlags, .flagsBefore, .mountFlags: .strings
            case .operations, .bytes, .offset, .sizeBefore, .xattrSize: .number
            case .exchange, .owner, .evicted, .open: .boolean
            case .newUid, .newGid, .uidBefore, .gidBefore: .identifier
            }
        case .module(let field):
            switch field {
            case .name, .args, .source, .hint: .string
            case .argsTruncated, .argsUnreadable, .signed, .inTree, .waits: .boolean
            case .taints: .strings
            }
        case .object(_, let field):
            switch field {
            case .device, .mode, .type: .string
            case .inode, .uid, .gid: .identifier
            case .size: .number
            }
        }
    }

    /// Words that are the same in `Events` (a test compares).
    var words: [String]? {
        switch self {
        case .event(.kind): ["event", "state"]
        case .event(.category): ["driver", "file", "host", "process"]
        case .event(.type): ["change", "creation", "deletion", "end", "info", "start"]
        case .event(.action):
            [
                "exec", "fork", "exit", "namespace-change", "create", "write", "truncate", "rename", "delete", "link", "symlink", "mkdir", "rmdir", "mknod", "chmod", "chown",
                "utimes", "setxattr", "removexattr", "setflags", "mmap-write", "mount", "umount", "kernel-parameter", "module-load", "module-unload",
                "module-request", "start", "stop", "lost", "degraded",
            ]
        case .event(.outcome): ["success", "failure", "unknown"]
        case .facts(.tenantKind): ["host", "vm", "container"]
        case .facts(.tenantRole): ["guest", "manager"]
        case .module(.source): ["file", "memory"]
        case .object(_, .type): ["file", "dir", "symlink", "character", "block", "fifo", "socket"]
        default: nil
        }
    }
}

extension FileField {
    var carriers: String {
        switch self {
        case .path, .directory, .name, .fileExtension, .actorPath, .innerPath: "files, module-load from a file"
        case .pathFlags: "files, module-load from a file, exec"
        default: "files"
        }
    }
}
