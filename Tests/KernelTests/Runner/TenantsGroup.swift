import Foundation
import Glibc

/// `hypervigil tenants` on cgroups of the shapes that engines make, and of those that users may make to look like them.
func runTenants(_ context: Context, _ report: inout Report) {
    let id = "f75aff467357c5d0ddd47cb7ad87ed38746e018992586ff66198a5c11218f6" + String(format: "%02x", getpid() & 0xff)
    let mark = "hvt\(getpid())"
    /// Path, and `KIND ENGINE ROLE ID`; nil: the host's.
    let shapes: [(path: String, tenant: String?)] = [
        (#"/\#(mark).slice/machine-qemu\x2d1\x2d\#(mark).scope/libvirt/vcpu0"#, "vm libvirt guest \(mark)"),
        ("/lxc.payload.\(mark)/init.scope", "container lxc guest \(mark)"),
        ("/lxc.monitor.\(mark)", "container lxc manager \(mark)"),
        ("/\(mark).slice/docker-\(id).scope", "container docker guest \(id)"),
        ("/firecracker/\(mark)", "vm firecracker guest \(mark)"),
        ("/user.slice/user-4242.slice/user@4242.service/docker-\(id).scope", "container docker guest 4242/\(id)"),
        (#"/user.slice/user-4242.slice/user@4242.service/machine-qemu\x2d1\x2d\#(mark)forged.scope"#, nil),
        ("/user.slice/user-4242.slice/user@4242.service/kubepods.slice/\(mark)forged.slice/cri-containerd-\(id).scope", nil),
        ("/user.slice/user-4242.slice/user@4242.service/firecracker/\(mark)forged", nil),
        ("/\(mark)/\(mark)forged", nil),
    ]
    guard let root = cgroupRoot() else {
        report.check("tenants.listed") { throw Skip("no cgroup2 is mounted whole") }
        return
    }
    var made: [String] = []
    defer { for path in made.reversed() { rmdir(path) } }
    do {
        for (path, _) in shapes {
            var folder = root
            for name in path.split(separator: "/") {
                folder += "/" + name
                if mkdir(folder, 0o755) == 0 {
                    made.append(folder)
                } else if errno == EROFS || errno == EACCES || errno == EPERM {
                    throw Skip("\(folder): \(String(cString: strerror(errno)))")
                } else if errno != EEXIST {
                    throw Failure("mkdir \(folder): \(String(cString: strerror(errno)))")
                }
            }
        }
    } catch {
        report.check("tenants.listed") { throw error }
        return
    }
    var listed: [String: [String: Any]] = [:]
    report.check("tenants.listed") {
        for row in try tenants(context) { if let path = row["cgroup"] as? String { listed[path] = row } }
        for (path, expected) in shapes {
            guard let expected else { continue }
            // Its own group may be above this one.
            let row = listed.first { path == $0.key || path.hasPrefix($0.key + "/") }?.value
            let found = ["kind", "engine", "role", "id"].map { row?[$0] as? String ?? "-" }.joined(separator: " ")
            try expectEqual(found, expected, path)
        }
    }
    report.check("tenants.forgeries-are-not") {
        for (path, expected) in shapes where expected == nil {
            if let row = listed.first(where: { path == $0.key || path.hasPrefix($0.key + "/") }) { throw Failure("\(path) is taken for \(row.value)") }
        }
        if let row = listed.values.first(where: { ($0["id"] as? String ?? "").contains("forged") }) { throw Failure("\(row)") }
    }
    report.check("tenants.gone") {
        for path in made.reversed() { rmdir(path) }
        made = []
        let left = try tenants(context).filter { ($0["cgroup"] as? String ?? "").contains(mark) }
        try expectEqual(left.count, 0, "tenants whose groups are gone")
    }
}

private func tenants(_ context: Context) throws -> [[String: Any]] {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: context.program)
    process.arguments = ["tenants", "--json"]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try expectEqual(process.terminationStatus, 0, "exit code of hypervigil tenants")
    return try bytes.split(separator: 0x0a).map { line in
        guard let row = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else { throw Failure("no object: \(String(decoding: line, as: UTF8.self))") }
        return row
    }
}

/// Where version 2 is mounted with all of its groups.
func cgroupRoot() -> String? {
    for line in text(of: "/proc/self/mountinfo").split(separator: "\n") where line.contains(" - cgroup2 ") {
        let fields = line.split(separator: " ")
        if fields.count > 4, fields[3] == "/" { return String(fields[4]) }
    }
    return nil
}
