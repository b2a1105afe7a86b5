internal import Glibc
internal import KernelABI

/// dpkg's database, as dpkg(1), dpkg-divert(1) and dpkg's doc/ describe it: `status`, `info/NAME[:ARCH].list` and `diversions`.
struct DpkgDatabase {
    private let root: String
    private var folder: String { root + "/var/lib/dpkg" }
    private var index = PackageIndex()
    /// Names of the lists in `info`, without `.list`, by number of the package.
    private var lists: [[UInt8]] = []
    private var diversions: [Diversion] = []
    /// Folders at the top that are links, as /bin is to usr/bin: what they lead to.
    private var aliases: [(name: [UInt8], target: [UInt8])] = []
    private var stamp: Stamp?

    struct Diversion: Equatable {
        var from: [UInt8]
        var to: [UInt8]
        /// Empty: the administrator's own.
        var by: [UInt8]
    }

    /// - Parameter root: of the file system, without a slash at its end; the host's is empty.
    init(root: String = "") { self.root = root }

    var isThere: Bool { access(folder + "/status", R_OK) == 0 }
    var pathCount: Int { index.pathCount }
    var packageCount: Int { index.packageCount }

    private var watched: [String] { [folder + "/status", folder + "/info", folder + "/diversions"] }

    /// Whether dpkg is at work.
    private var isBusy: Bool {
        let descriptor = open(folder + "/lock", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return hv_is_locked(descriptor) != 0
    }

    /// - Parameter path: as the kernel tells it, without links in it.
    mutating func owner(of path: [UInt8]) -> Ownership {
        let now = Stamp(watched)
        if stamp != now {
            // What is half done says nothing.
            guard !isBusy else { return .unknown }
            stamp = read() && Stamp(watched) == now ? now : nil
        }
        guard stamp != nil else { return .unknown }
        let answer = look(normal(path))
        // While files are put in place their lists are not.
        if answer == .unpackaged, isBusy || Stamp(watched) != now { return .unknown }
        return answer
    }

    private mutating func look(_ path: [UInt8]) -> Ownership {
        // Where a package's file has been diverted to, it is that package's still, but not the one's that diverts.
        if let diversion = diversions.first(where: { $0.to == path }) {
            if let owner = owner(listing: diversion.from, where: { !$0.elementsEqual(diversion.by) }) { return .owned(owner) }
        }
        let diversion = diversions.first { $0.from == path }
        if let owner = owner(listing: path, where: { name in diversion.map { name.elementsEqual($0.by) } ?? true }) { return .owned(owner) }
        return .unpackaged
    }

    private func owner(listing path: [UInt8], where takes: (ArraySlice<UInt8>) -> Bool) -> PackageOwner? {
        for package in index.owners(of: path) where takes(index.name(package)) {
            // The hash may be another path's.
            guard let list = list(lists[Int(package)]), has(list, path) else { continue }
            return PackageOwner(name: Array(index.name(package)), version: Array(index.version(package)))
        }
        return nil
    }

    private func list(_ name: [UInt8]) -> [UInt8]? { contents("\(folder)/info/" + String(decoding: name, as: UTF8.self) + ".list") }

    private func has(_ list: [UInt8], _ path: [UInt8]) -> Bool {
        var has = false
        eachLine(of: list) { line in
            if !has, line.last == path.last { has = normal(line).elementsEqual(path) }
        }
        return has
    }

    /// The path with a link of the top level resolved.
    private func normal(_ path: some Collection<UInt8>) -> [UInt8] {
        for alias in aliases where path.starts(with: alias.name) {
            let rest = path.dropFirst(alias.name.count)
            if rest.isEmpty || rest.first == 0x2f { return alias.target + rest }
        }
        return Array(path)
    }

    // MARK: reading

    /// False: it can't be relied upon.
    private mutating func read() -> Bool {
        self = DpkgDatabase(root: root)
        aliases = Self.aliases(root)
        guard let names = Self.lists(folder + "/info"), !names.isEmpty, let versions = contents(folder + "/status").map(Self.versions) else { return false }
        if access(folder + "/diversions", F_OK) == 0 {
            guard let text = contents(folder + "/diversions") else { return false }
            diversions = Self.diversions(text).map { Diversion(from: normal($0.from), to: normal($0.to), by: $0.by) }
        }
        for name in names {
            // A list that goes away in the middle changes the folder, which is seen.
            guard let list = list(name) else { return false }
            let package = name.prefix { $0 != 0x3a }
            let version = versions[name] ?? versions[Array(package)] ?? []
            guard let number = index.add(package: package, version: version) else { return false }
            lists.append(name)
            eachLine(of: list) { line in
                guard line.first == 0x2f else { return }
                if aliases.contains(where: { line.starts(with: $0.name) }) { index.add(path: normal(line), of: number) } else { index.add(path: line, of: number) }
            }
        }
        index.finish()
        hv_trim_memory()
        return true
    }

    private static func aliases(_ root: String) -> [(name: [UInt8], target: [UInt8])] {
        entries(root.isEmpty ? "/" : root).compactMap { name in
            let path = root + "/" + String(decoding: name, as: UTF8.self)
            let target = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer -> [UInt8]? in
                let count = readlink(path, buffer.baseAddress.unsafelyUnwrapped, buffer.count)
                return count > 0 ? buffer[..<count].map { UInt8(bitPattern: $0) } : nil
            }
            guard var target else { return nil }
            while target.last == 0x2f { target.removeLast() }
            if target.first != 0x2f { target.insert(0x2f, at: 0) }
            // A way with dots in it is not followed.
            guard target.count > 1, !target.split(separator: 0x2f).contains(where: { $0 == [0x2e] || $0 == [0x2e, 0x2e] }) else { return nil }
            return ([0x2f] + name, target)
        }
    }

    private static func lists(_ folder: String) -> [[UInt8]]? {
        let suffix = Array(".list".utf8)
        // A name that is no text can't be a package's.
        return entries(folder).filter { $0.count > suffix.count && $0.suffix(suffix.count).elementsEqual(suffix) && $0.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
            .map { Array($0.dropLast(suffix.count)) }
    }

    private static func entries(_ folder: String) -> [[UInt8]] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            let start = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
            names.append(Array(UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))))
        }
        return names
    }

    /// By `NAME` and by `NAME:ARCH`, of the paragraphs that have both fields (deb822(5)).
    static func versions(_ status: [UInt8]) -> [[UInt8]: [UInt8]] {
        var versions: [[UInt8]: [UInt8]] = [:]
        var name: ArraySlice<UInt8> = []
        var architecture: ArraySlice<UInt8> = []
        var version: ArraySlice<UInt8> = []
        func end() {
            if !name.isEmpty, !version.isEmpty {
                versions[Array(name)] = Array(version)
                if !architecture.isEmpty { versions[name + [0x3a] + architecture] = Array(version) }
            }
            (name, architecture, version) = ([], [], [])
        }
        eachLine(of: status) { line in
            if line.isEmpty {
                end()
            } else if let value = value(of: "Package:", line) {
                name = value
            } else if let value = value(of: "Architecture:", line) {
                architecture = value
            } else if let value = value(of: "Version:", line) {
                version = value
            }
        }
        end()
        return versions
    }

    private static func value(of field: StaticString, _ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let name = UnsafeBufferPointer(start: field.utf8Start, count: field.utf8CodeUnitCount)
        guard line.starts(with: name) else { return nil }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var value = line.dropFirst(name.count).drop(while: isSpace)
        while let last = value.last, isSpace(last) { value.removeLast() }
        return value
    }

    /// Three lines each: from, to, by; the last is `:` where it is the administrator's.
    static func diversions(_ text: [UInt8]) -> [Diversion] {
        let lines = text.split(separator: 0x0a, omittingEmptySubsequences: false)
        return stride(from: 0, to: lines.count - 2, by: 3).map { at in
            Diversion(from: Array(lines[at]), to: Array(lines[at + 1]), by: lines[at + 2] == [0x3a] ? [] : Array(lines[at + 2]))
        }
    }
}
