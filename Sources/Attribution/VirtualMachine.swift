/// What the arguments of a virtual machine monitor say of its machine. The executable has been recognized before by its inode; the arguments are
/// those that the kernel saw at its exec.
package struct VirtualMachine: Equatable, Sendable {
    package enum Program: String, Sendable, CaseIterable {
        case qemu, firecracker
        case cloudHypervisor = "cloud-hypervisor"
        /// Runs Firecracker from a copy of its own in a jail.
        case jailer
    }

    /// `libvirt`, `proxmox`, `incus`, `lxd`, `kata`, or the program's own.
    package var engine: String
    /// What the engine calls it for ever: a uuid, else a number, else a name; empty: nothing of that kind.
    package var id = ""
    package var name = ""

    /// - Parameter arguments: each ended by a NUL, the program's name first; the last may be cut and then counts for nothing.
    package init(_ program: Program, _ arguments: UnsafeRawBufferPointer) {
        var words = Self.words(arguments)
        if !words.isEmpty { words.removeFirst() }
        switch program {
        case .qemu: self.init(qemu: words)
        case .firecracker, .jailer: self.init(firecracker: words)
        case .cloudHypervisor: self.init(cloudHypervisor: words)
        }
        id = CgroupPath.text(id.utf8.prefix(512))
        name = CgroupPath.text(name.utf8.prefix(512))
    }

    private static func words(_ arguments: UnsafeRawBufferPointer) -> [String] {
        var words: [String] = []
        var start = 0
        for index in arguments.indices where arguments[index] == 0 {
            // What isn't UTF-8 would be mistaken for other words once it is repaired; here no name has it.
            words.append(String(validating: arguments[start..<index], as: UTF8.self) ?? "\u{fffd}")
            start = index + 1
        }
        return words
    }

    // MARK: QEMU

    /// qemu-options.hx, of all architectures and of old releases: those that take no value. With one or two dashes.
    private static let flags: Set<String> = [
        "h", "help", "version", "snapshot", "no-fd-bootchk", "no-reboot", "no-shutdown", "S", "daemonize", "enable-kvm", "nographic", "full-screen",
        "alt-grab", "ctrl-grab", "no-quit", "curses", "no-frame", "sdl", "no-user-config", "nodefaults", "nodefconfig", "preconfig", "singlestep",
        "one-insn-per-tb", "old-param", "semihosting", "no-acpi", "no-hpet", "win2k-hack", "rtc-td-hack", "no-kvm", "no-kvm-irqchip", "no-kvm-pit",
        "no-kvm-pit-reinjection", "portrait", "usb", "disable-ticks", "xen-attach", "xen-create", "enable-fips", "mem-prealloc", "audio-help",
        "async-teardown", "only-migratable", "enable-sync-profile", "enable-crash-reporting", "localtime", "std-vga", "no-quit-on-exit", "tdf",
        "semihosting-enable",
    ]

    private init(qemu words: [String]) {
        engine = "qemu"
        var uuid = ""
        var number = ""
        var isLibvirt = false
        var at = 0
        while at < words.count {
            let word = words[at]
            at += 1
            guard word.hasPrefix("-"), word.count > 1 else { continue }
            let option = String(word.dropFirst(word.hasPrefix("--") ? 2 : 1))
            guard !Self.flags.contains(option) else { continue }
            guard at < words.count else { break }
            let value = words[at]
            at += 1
            switch option {
            case "name": if let guest = Self.guest(value) { name = guest }
            case "uuid": if Self.isUUID(value) { uuid = value.lowercased() }
            // Proxmox's own option.
            case "id": number = value
            case "smbios": if uuid.isEmpty, let found = Self.option("uuid", of: value), Self.isUUID(found) { uuid = found.lowercased() }
            case "object":
                // {"qom-type":"secret","id":"masterKey0",...,"file":".../domain-1-web01/master-key.aes"}, or the same with = and commas.
                if value.contains("masterKey0"), value.contains("/master-key.aes") { isLibvirt = true }
            case "pidfile", "readconfig", "D":
                if value.contains("/incus/") { engine = "incus" } else if value.contains("/lxd/") { engine = "lxd" }
            default: break
            }
        }
        if isLibvirt {
            engine = "libvirt"
        } else if !number.isEmpty, number.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            engine = "proxmox"
            id = number
            return
        } else if engine == "qemu", name.hasPrefix("sandbox-"), name.utf8.count == 72 {
            engine = "kata"
            id = String(name.dropFirst(8))
            return
        }
        id = uuid.isEmpty ? name : uuid
    }

    /// `-name web01,debug-threads=on`, `-name guest=web01`: the first value without a key is the guest's name, a comma in it is doubled, the last one
    /// counts (QEMU, util/qemu-option.c).
    private static func guest(_ value: String) -> String? { option("guest", of: value, implied: true) }

    private static func option(_ key: String, of value: String, implied: Bool = false) -> String? {
        var found: String?
        for (index, part) in split(value).enumerated() {
            guard let equals = part.firstIndex(of: "=") else {
                if implied, index == 0 { found = part }
                continue
            }
            if part[..<equals] == key { found = String(part[part.index(after: equals)...]) }
        }
        return found
    }

    private static func split(_ value: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var rest = Substring(value)
        while let next = rest.popFirst() {
            if next != "," {
                part.append(next)
            } else if rest.first == "," {
                rest.removeFirst()
                part.append(",")
            } else {
                parts.append(part)
                part = ""
            }
        }
        return parts + [part]
    }

    // MARK: others

    /// `--id ID`, else the socket, which no two machines share. Both of `--option value` and `--option=value`; what follows `--` is not its own.
    private init(firecracker words: [String]) {
        engine = "firecracker"
        let options = Self.options(words)
        id = options["id"] ?? ""
        // Its default, which is everybody's (firecracker, src/vmm/src/vmm_config/instance_info.rs).
        if id == "anonymous-instance" { id = "" }
        if id.isEmpty { id = options["api-sock"] ?? "" }
    }

    /// `--platform uuid=UUID`, else the socket of its interface; the name is the socket's, or its folder's where it has one of the usual names.
    private init(cloudHypervisor words: [String]) {
        engine = "cloud-hypervisor"
        let options = Self.options(words)
        var socket = options["api-socket"] ?? ""
        if let path = Self.option("path", of: socket) { socket = path }
        if socket.hasPrefix("fd=") { socket = "" }
        let parts = socket.split(separator: "/").map(String.init)
        if let file = parts.last {
            var base = file
            for suffix in [".sock", ".socket"] where base.hasSuffix(suffix) { base = String(base.dropLast(suffix.count)) }
            let isUsual = ["api", "ch", "clh-api", "clh", "cloud-hypervisor", "cloud-hypervisor-api"].contains(base)
            name = isUsual && parts.count > 1 ? parts[parts.count - 2] : base
            // /run/vc/vm/SANDBOX/clh-api.sock
            if file == "clh-api.sock", parts.count >= 4, parts[parts.count - 3] == "vm", parts[parts.count - 4] == "vc" {
                engine = "kata"
                id = name
                return
            }
        }
        if let uuid = Self.option("uuid", of: options["platform"] ?? ""), Self.isUUID(uuid) { id = uuid.lowercased() } else { id = socket }
    }

    private static func options(_ words: [String]) -> [String: String] {
        var options: [String: String] = [:]
        var at = 0
        while at < words.count, words[at] != "--" {
            let word = words[at]
            at += 1
            guard word.hasPrefix("--") else { continue }
            if let equals = word.firstIndex(of: "=") {
                options[String(word[word.index(word.startIndex, offsetBy: 2)..<equals])] = String(word[word.index(after: equals)...])
            } else if at < words.count, !words[at].hasPrefix("--") {
                options[String(word.dropFirst(2))] = words[at]
                at += 1
            }
        }
        return options
    }

    /// RFC 9562, section 4, in either case.
    package static func isUUID(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return false }
        for (index, byte) in bytes.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                if byte != 0x2d { return false }
            } else if CgroupPath.hexadecimal(byte | 0x20) == nil || byte < 0x30 {
                return false
            }
        }
        return true
    }
}
