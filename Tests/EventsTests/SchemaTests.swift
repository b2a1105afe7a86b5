import Foundation
import KernelABI
import Testing

@testable import Events

/// The vendored rows of the published field list.
struct Schema {
    var types: [String: String] = [:]
    var arrays: Set<String> = []
    var categories: [String: Set<String>] = [:]

    /// Fields that are not in ECS and not below `hypervigil`: documented extensions. Auditbeat has them.
    static let extensions: [String: String] = ["user.audit.id": "keyword", "user.audit.name": "keyword"]
    static let kinds: Set = ["alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"]
    static let outcomes: Set = ["failure", "success", "unknown"]

    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../ThirdParty/ecs")
        let fields = try String(contentsOf: folder.appending(path: "fields.csv"), encoding: .utf8)
        for row in fields.split(separator: "\n").dropFirst() {
            // The columns that matter come before the first that may be quoted.
            let columns = row.split(separator: ",", maxSplits: 7, omittingEmptySubsequences: false).map(String.init)
            types[columns[3]] = columns[4]
            if columns[6] == "array" { arrays.insert(columns[3]) }
        }
        let list = try String(contentsOf: folder.appending(path: "categories.csv"), encoding: .utf8)
        for row in list.split(separator: "\n").dropFirst() {
            let columns = row.split(separator: ",").map(String.init)
            categories[columns[0]] = Set(columns[1].split(separator: " ").map(String.init))
        }
        types.merge(Self.extensions) { published, _ in published }
    }

    /// Nil where the value is one of the type; else what is wrong.
    func complaint(_ name: String, _ value: JSON) -> String? {
        guard let type = types[name] else { return "\(name) is not in the list" }
        if case .array(let elements) = value {
            guard arrays.contains(name) else { return "\(name) is no array" }
            return elements.lazy.compactMap { scalarComplaint(name, type, $0) }.first
        }
        return arrays.contains(name) ? "\(name) must be an array" : scalarComplaint(name, type, value)
    }

    private func scalarComplaint(_ name: String, _ type: String, _ value: JSON) -> String? {
        switch (type, value) {
        case ("keyword", .string), ("wildcard", .string), ("match_only_text", .string), ("boolean", .bool): nil
        case ("long", .number(let text)) where Int64(text) != nil: nil
        case ("date", .string(let text)) where isTimestamp(text): nil
        case ("ip", .string(let text)) where isAddress(text): nil
        default: "\(name) is \(value), which is no \(type)"
        }
    }
}

private func isAddress(_ text: String) -> Bool {
    var address = in6_addr()
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
}

/// RFC 3339 with nine digits of a second, in UTC; a date that exists.
private func isTimestamp(_ text: String) -> Bool {
    guard let match = text.wholeMatch(of: /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{9}Z/) else { return false }
    return (try? Date("\(match.1)Z", strategy: .iso8601)) != nil
}

/// One of each kind of event, with and without what is optional.
enum Samples {
    static var records: [(action: Action, name: String, bytes: [UInt8])] {
        var bare = Records.actor()
        (bare.tty, bare.session, bare.login_uid, bare.task_flags) = (0, .max, .max, 0)
        (bare.ns_mount, bare.ns_network, bare.ns_ipc, bare.ns_uts, bare.ns_cgroup, bare.ns_pid, bare.ns_user) = (0, 0, 0, 0, 0, 0, 0)
        let path = Array("/srv/a/file.tar.gz".utf8)
        return [
            (.exec, "exec", Records.exec()),
            (.exec, "bare exec", Records.exec(flags: 0, actor: bare)),
            (
                .exec, "script",
                Records.exec(interpreter: path, flags: HV_EXEC_SCRIPT | HV_EXEC_BEFORE) { $0.script = Records.object(inode: 5) }
            ),
            (.exec, "memfd", Records.exec(flags: HV_EXEC_FILELESS | HV_EXEC_MEMFD | HV_EXEC_SCRIPT_FILELESS, stringFlags: [2])),
            (.exec, "cut exec", Records.exec(flags: HV_EXEC_ARGS_TRUNCATED, stringFlags: [1, 1, 9, 1, 1, 9])),
            (.exec, "failed exec", Records.exec(arguments: [], error: -13)),
            (.exec, "exec by a thread", Records.exec { $0.old_tid = 77 }),
            (.fork, "fork", Records.fork()),
            (.fork, "fork for another", Records.fork(forker: 9, forkerStart: 8)),
            (.exit, "exit", Records.exit(status: 3 << 8)),
            (.exit, "killed", Records.exit(status: 0x80 | 11, actor: bare)),
            (.namespaceChange, "unshare", Records.namespace()),
            (.namespaceChange, "refused setns", Records.namespace(call: HV_NAMESPACE_SETNS, asked: 0, error: -1)),
            (.create, "create", Records.file(HV_FILE_CREATE)),
            (.write, "first write", Records.file(flags: HV_FILE_OPEN)),
            (.write, "last write", Records.file(actorPath: path, flags: HV_FILE_CLOSED | HV_FILE_IO_URING, stringFlags: [7, 4])),
            (
                .rename, "rename",
                Records.file(HV_FILE_RENAME, targetInner: path, targetActor: path, flags: HV_FILE_EXCHANGE) {
                    $0.target = Records.object(inode: 6, mode: 0o120777)
                }
            ),
            (
                .rename, "pending rename",
                Records.file(
                    HV_FILE_RENAME, name: Array("a".utf8), targetName: Array("/b".utf8),
                    flags: HV_FILE_PENDING | HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED
                ) {
                    $0.object = hv_object()
                }
            ),
            (
                .write, "write of many ways",
                Records.file(flags: HV_FILE_OPEN | HV_FILE_EVICTED | HV_FILE_BYTES | HV_FILE_OFFSET) {
                    ($0.via, $0.value, $0.value_2) = (UInt32(HV_VIA_WRITE | HV_VIA_MMAP | HV_VIA_COPY), 4096, 1 << 40)
                }
            ),
            (.truncate, "truncate", Records.file(HV_FILE_TRUNCATE) { $0.value = 17 }),
            (.truncate, "truncate to what is not known", Records.file(HV_FILE_TRUNCATE, flags: HV_FILE_PENDING) { $0.value = .max }),
            (.link, "link", Records.file(HV_FILE_LINK, targetInner: path, targetActor: path, flags: HV_FILE_IO_URING)),
            (.symlink, "symlink", Records.made(HV_FILE_SYMLINK, text: path)),
            (.mkdir, "mkdir", Records.made(HV_FILE_MKDIR) { $0.value = 0o755 }),
            (.rmdir, "rmdir", Records.file(HV_FILE_RMDIR) { $0.object = Records.object(mode: 0o40755) }),
            (.mknod, "mknod", Records.made(HV_FILE_MKNOD) { ($0.value, $0.value_2) = (0o060660, 8 << 20 | 1) }),
            (.mknod, "fifo", Records.made(HV_FILE_MKNOD) { $0.value = 0o010600 }),
            (.chmod, "chmod", Records.file(HV_FILE_CHMOD) { $0.value = 0o106755 }),
            (.chown, "chown", Records.file(HV_FILE_CHOWN) { ($0.value, $0.value_2) = (1000, .max) }),
            (.utimes, "utimes", Records.file(HV_FILE_UTIMES)),
            (.setxattr, "setxattr", Records.file(HV_FILE_SETXATTR, text: Array("security.capability".utf8)) { $0.value = 20 }),
            (.removexattr, "removexattr", Records.file(HV_FILE_REMOVEXATTR, text: Array("user.a".utf8), stringFlags: [0, 0, 0, 0, 0, 0, 9])),
            (.setflags, "setflags", Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (0x8_0010, 0x8_0020) }),
            (.mmapWrite, "mmap-write", Records.file(HV_FILE_MMAP_WRITE)),
            (
                .mount, "mount",
                Records.file(HV_FILE_MOUNT, text: Array("/dev/sda1".utf8), text2: Array("ext4".utf8), stringFlags: [0, 0, 0, 0, 0, 0, 1, 8]) {
                    $0.value = 0x8000_0003
                }
            ),
            (.umount, "umount", Records.file(HV_FILE_UMOUNT)),
            (
                .kernelParameter, "kernel parameter",
                Records.file(HV_FILE_PARAMETER, inner: Array("/sys/kernel/core_pattern".utf8), actorPath: path) { $0.value = 9 }
            ),
            (.delete, "refused delete", Records.file(HV_FILE_DELETE, flags: HV_FILE_IO_URING, error: -1)),
            (.moduleLoad, "module", Records.module()),
            (.moduleLoad, "module from memory", Records.module(hint: path, source: HV_MODULE_SOURCE_MEMORY, flags: 0)),
            (.moduleLoad, "refused module", Records.module(name: [], flags: HV_MODULE_SIGNED_KNOWN | HV_MODULE_SIGNED, error: -126)),
            (
                .moduleUnload, "unload",
                Records.module(HV_MODULE_UNLOAD, arguments: [], file: [], inner: [], source: HV_MODULE_SOURCE_UNKNOWN)
            ),
            (.moduleRequest, "request", Records.module(HV_MODULE_REQUEST, name: Array("net-pf-10".utf8), source: HV_MODULE_SOURCE_UNKNOWN)),
        ]
    }

    static let monitor: [MonitorEvent] = [
        MonitorEvent(time: 1, sequence: 0, detail: .start(message: "capturing exec, file, module")),
        MonitorEvent(time: 2, sequence: 1, detail: .stop(message: "SIGINT", events: 7, lost: 1)),
        MonitorEvent(time: 3, sequence: 2, detail: .degraded(subject: "file_update_time", reason: "EPERM: no \"fentry\"\n")),
        MonitorEvent(
            time: 4, sequence: 3,
            detail: .lost(
                Loss(count: 12, cpu: 1, ring: 2, from: 1, to: 2, kinds: [RecordKinds(kind: 1), RecordKinds(kind: 4)], reason: "ring full"))),
        MonitorEvent(
            time: 5, sequence: 4,
            detail: .lost(Loss(count: nil, cpu: nil, ring: nil, from: 1, to: 2, kinds: [], reason: "programs skipped"))),
        MonitorEvent(
            time: 6, sequence: 5,
            detail: .lost(
                Loss(count: 9, cpu: nil, ring: nil, from: 1, to: 2, kinds: [RecordKinds(kind: 4), .throttled], cgroup: 1 << 60, reason: "too many"))),
    ]

    static func encode(_ event: MonitorEvent) -> [UInt8] {
        var encoder = ECSEncoder(context: Records.context(), realtimeOffset: Records.offset)
        var writer = ByteWriter()
        encoder.encode(event, into: &writer)
        return writer.withBytes { [UInt8]($0) }
    }
}

@Suite("Events against the published schema")
struct SchemaTests {
    private let schema: Schema

    init() throws { schema = try Schema() }

    private func check(_ event: JSON, _ action: Action, _ name: String) throws {
        for (field, value) in event.leaves() where !field.hasPrefix("hypervigil.") {
            if let complaint = schema.complaint(field, value) { Issue.record("\(name): \(complaint)") }
        }
        #expect(event["event.action"]?.text == action.rawValue)
        #expect(event["ecs.version"]?.text == EncoderContext.ecsVersion)
        let kind = try #require(event["event.kind"]?.text)
        #expect(Schema.kinds.contains(kind) && kind != "signal")
        if let outcome = event["event.outcome"]?.text { #expect(Schema.outcomes.contains(outcome)) }
        let categories = try #require(event["event.category"]?.texts)
        let types = try #require(event["event.type"]?.texts)
        #expect(!categories.isEmpty && !types.isEmpty)
        for category in categories {
            let allowed = try #require(schema.categories[category], "\(category) is no category")
            for type in types { #expect(allowed.contains(type), "\(name): \(category) has no type \(type)") }
        }
        #expect(event["error.code"] == nil || event["event.outcome"]?.text == "failure")
    }

    @Test(arguments: Samples.records.indices)
    func record(_ index: Int) throws {
        let sample = Samples.records[index]
        try check(try parse(encode(sample.bytes)), sample.action, sample.name)
    }

    /// The same with everything that attribution can tell of an actor; its bytes are hostile.
    @Test(arguments: Samples.records.indices)
    func attributed(_ index: Int) throws {
        let sample = Samples.records[index]
        let text = Array("/usr/bin/a \"b\"\u{1}\n\0argument\u{0}".utf8) + [0xff, 0]
        let tenant = Tenant(kind: .container, engine: "docker", role: .guest, id: "1000/ab\"", name: "web\n", image: "nginx:1", isClaimed: true)
        try text.withUnsafeBytes { text in
            let ancestors = (0..<40).map { ActorFacts.Ancestor(start: UInt64($0), pid: 7, name: text, executable: text, isFromProc: $0 == 39) }
            try ancestors.withUnsafeBufferPointer { ancestors in
                var facts = ActorFacts()
                facts.version = 7
                (facts.userName, facts.effectiveUserName, facts.savedUserName, facts.groupName) = (text, text, text, text)
                (facts.effectiveGroupName, facts.loginUserName, facts.sessionRemote, facts.sessionTerminal) = (text, text, text, text)
                (facts.executable, facts.arguments, facts.parentExecutable, facts.parentArguments) = (text, text, text, text)
                (facts.packageName, facts.packageVersion) = (text, text)
                (facts.namesAreClaimed, facts.innerUser, facts.innerGroup, facts.argumentsAreFromProc) = (true, 1, 2, true)
                (facts.ancestors, facts.ancestorsTruncated, facts.foreignNamespaces) = (ancestors, true, [.mount, .user])
                facts.tenant = Unmanaged.passUnretained(tenant)
                try withUnsafePointer(to: facts) { facts in
                    var known = Resolution()
                    known.actor = facts
                    let event = try parse(encode(sample.bytes, known))
                    try check(event, sample.action, sample.name)
                    #expect(event["hypervigil.tenant.claimed"] != nil && event["container.runtime"]?.text == "docker")
                    #expect(event["process.parent.command_line"] != nil && event["process.executable"] != nil)
                }
            }
        }
        withExtendedLifetime(tenant) {}
    }

    @Test(arguments: Samples.monitor.indices)
    func monitor(_ index: Int) throws {
        let event = Samples.monitor[index]
        try check(try parse(Samples.encode(event)), event.action, "\(event.action)")
    }

    /// The contract's rule for this project's own fields: identifiers and what may pass 2^53 are strings, the rest numbers.
    @Test(arguments: Samples.records.indices)
    func identifiersAreStrings(_ index: Int) throws {
        let event = try parse(encode(Samples.records[index].bytes))
        let identifiers: Set = [
            "inode", "device", "uid", "gid", "uid_before", "gid_before", "mode", "mode_before", "euid", "egid", "suid", "sgid", "id", "monotonic", "session", "mount", "pid_ns",
        ]
        let numbers: Set = ["pid", "args_count", "args_size", "size", "operations", "size_before", "signal", "calling_thread", "exit_code", "bytes", "offset"]
        for (field, value) in event.leaves() where !field.hasPrefix("process.thread") && !field.contains("namespaces") {
            let last = String(field.split(separator: ".").last ?? "")
            if identifiers.contains(last) { #expect(value.text != nil, "\(field)") }
            if numbers.contains(last) { #expect(value.integer != nil, "\(field)") }
        }
        for (field, value) in event.leaves() where field.contains("namespaces") { #expect(value.text != nil, "\(field)") }
    }

    /// Every action of records and monitor is among the samples.
    @Test func samplesAreComplete() {
        #expect(Set(Samples.records.map(\.action) + Samples.monitor.map(\.action)) == Set(Action.allCases))
    }
}
