import Foundation
import Glibc

/// File systems to test on, made in image files.
struct Disks {
    private let context: Context
    private let prefix: String
    private var mounted: [String] = []

    init(_ context: Context, _ prefix: String) {
        self.context = context
        self.prefix = prefix
    }

    /// Those to test a style on: slow guests do the second style on one only.
    static func names(_ context: Context, _ style: String) -> [String] {
        style == "tracepoint" && context.guest && !context.full ? ["tmpfs"] : ["tmpfs", "ext4", "xfs", "btrfs", "overlay"]
    }

    /// The root of the file system of that name, or a ``Skip`` where this machine can't have it.
    mutating func folder(_ name: String) throws -> String {
        let folder = "\(context.folder)/\(prefix)-\(name)"
        if mounted.contains(name) { return folder }
        try makeDirectory(folder)
        switch name {
        case "tmpfs": try run(["/usr/bin/mount", "-t", "tmpfs", "-o", "size=256M", "tmpfs", folder])
        case "overlay":
            let lower = try self.folder("ext4") + "/overlay"
            for part in ["", "/lower", "/upper", "/work"] { try makeDirectory(lower + part) }
            try modprobe("overlay")
            try run([
                "/usr/bin/mount", "-t", "overlay", "-o", "lowerdir=\(lower)/lower,upperdir=\(lower)/upper,workdir=\(lower)/work", "overlay",
                folder,
            ])
        default:
            let image = "\(context.folder)/\(prefix)-\(name).image"
            let make = ["ext4": ["-q"], "xfs": ["-q"], "btrfs": ["-q"]]
            guard let options = make[name], access("/usr/sbin/mkfs.\(name)", X_OK) == 0 else { throw Skip("no mkfs.\(name)") }
            // The least that mkfs.xfs takes.
            try run(["/usr/bin/truncate", "-s", name == "xfs" ? "320M" : "256M", image])
            try modprobe("loop")
            try modprobe(name)
            try run(["/usr/sbin/mkfs.\(name)"] + options + [image])
            try run(["/usr/bin/mount", "-t", name, "-o", "loop", image, folder])
        }
        mounted.append(name)
        return folder
    }

    /// A kernel without modules has it built in or not at all, which mount will tell.
    private func modprobe(_ name: String) throws {
        if context.loadsModules { try run(["/usr/sbin/modprobe", name]) }
    }

    private func run(_ command: [String]) throws {
        let run = try Run(context, command)
        guard run.status(waitUpTo: 120) == 0 else {
            let why = "\(command.joined(separator: " ")): \(run.errorLines.joined(separator: " | "))"
            // A guest has all of it.
            if context.guest { throw Failure(why) }
            throw Skip("not supported here: \(why)")
        }
    }

    mutating func unmount() {
        for name in mounted.reversed() {
            let folder = "\(context.folder)/\(prefix)-\(name)"
            unmountAll(below: [folder])
            unlink(folder + ".image")
        }
        mounted = []
    }
}
