internal import CLibbpf
internal import Glibc
internal import KernelABI

/// A program that is loaded and attached.
struct AttachedProgram {
    let program: Program
    let kind: String
    /// Of the program, for its counters.
    let descriptor: Int32
    let link: OpaquePointer?
}

/// One family's BPF object: opened with the programs that were chosen, sharing the rings, loaded and attached.
final class FamilyObject {
    let family: Family
    private let object: OpaquePointer

    struct Sizes {
        var cpus: Int
        var watches: Int
    }

    /// - Parameter hints: descriptor of another family's map of module files, to be shared.
    /// - Throws: when the bytes are no object of this build, or the kernel is out of memory.
    init(
        _ family: Family, fetching: Bool, programs: Set<String>, settings: hv_settings, maps: RingMaps, sizes: Sizes,
        sharing hints: Int32? = nil
    ) throws(ProbeError) {
        self.family = family
        var size = 0
        let bytes = hv_object(family.object, fetching ? 1 : 0, &size)
        var options = bpf_object_open_opts()
        options.sz = MemoryLayout<bpf_object_open_opts>.size
        let opened = "hv_\(family.rawValue)".withCString { name in
            options.object_name = name
            return bpf_object__open_mem(bytes, size, &options)
        }
        guard let opened else { throw ProbeError.nothing("can't open the BPF object of \(family.rawValue): \(text(of: errno))") }
        object = opened

        var program = bpf_object__next_program(object, nil)
        while let current = program {
            bpf_program__set_autoload(current, programs.contains(String(cString: bpf_program__name(current))))
            program = bpf_object__next_program(object, current)
        }
        var map = bpf_object__next_map(object, nil)
        while let current = map {
            switch String(cString: bpf_map__name(current)) {
            case "hv_rings": bpf_map__reuse_fd(current, maps.outer)
            case "hv_counters": bpf_map__reuse_fd(current, maps.counters)
            case "hv_tenants": bpf_map__reuse_fd(current, maps.tenants)
            case "hv_module_hints":
                if let hints { bpf_map__reuse_fd(current, hints) }
            case "hv_watches": bpf_map__set_max_entries(current, UInt32(sizes.watches))
            case "hv_handles": bpf_map__set_max_entries(current, settings.handle_mask + 1)
            case "hv_claims": bpf_map__set_max_entries(current, (settings.handle_mask + 1) * UInt32(Probes.handleWays))
            case "hv_verdicts": bpf_map__set_max_entries(current, settings.verdict_mask + 1)
            case let name where name.hasPrefix("hv_scratch") || name == "hv_folders":
                // The object has those of one CPU.
                bpf_map__set_max_entries(current, bpf_map__max_entries(current) * UInt32(sizes.cpus))
            case ".rodata.settings":
                var settings = settings
                guard bpf_map__set_initial_value(current, &settings, MemoryLayout<hv_settings>.size) == 0 else {
                    throw ProbeError.nothing("the BPF object of \(family.rawValue) has no settings of this build's shape")
                }
            default: break
            }
            map = bpf_object__next_map(object, current)
        }
    }

    deinit { bpf_object__close(object) }

    /// Nil when everything was loaded; else the program that the kernel refused (nil for the maps), its errno, and the verifier's last word.
    func load() -> (program: String?, errno: Int32, reason: String)? {
        // Before 6.4 the verifier's last word is lost where the log is too small for all of it. Pages that it doesn't use cost nothing; of
        // malloc's memory they would be kept, and its threshold for what is given back would rise.
        let size = 16 << 20
        let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let pages, pages != MAP_FAILED else { return (nil, ENOMEM, text(of: ENOMEM)) }
        defer { munmap(pages, size) }
        let log = pages.assumingMemoryBound(to: CChar.self)
        var program = bpf_object__next_program(object, nil)
        while let current = program {
            bpf_program__set_log_buf(current, log, size)
            program = bpf_object__next_program(object, current)
        }
        let result = bpf_object__load(object)
        guard result != 0 else { return nil }
        // Programs are loaded in order, and closed again by libbpf after the failure: the log is the last one's.
        let words = String(cString: log)
        let lines = words.split(separator: "\n").filter { !$0.hasPrefix("processed") && !$0.hasPrefix("verification time") && !$0.hasPrefix("stack depth") }
        return (nil, -result, lines.last.map(String.init) ?? text(of: -result))
    }

    /// - Returns: the attached program, or the errno.
    func attach(_ program: Program, kind: String) -> Result<AttachedProgram, AttachError> {
        guard let found = bpf_object__find_program_by_name(object, program.name) else { return .failure(AttachError(errno: ENOENT)) }
        let descriptor = bpf_program__fd(found)
        if case .iterator = program.target {
            return .success(AttachedProgram(program: program, kind: kind, descriptor: descriptor, link: nil))
        }
        guard let link = bpf_program__attach(found) else { return .failure(AttachError(errno: errno)) }
        return .success(AttachedProgram(program: program, kind: kind, descriptor: descriptor, link: link))
    }

    struct AttachError: Error {
        let errno: Int32
    }

    func program(_ name: String) -> OpaquePointer? { bpf_object__find_program_by_name(object, name) }

    func map(_ name: String) -> Int32? {
        guard let found = bpf_object__find_map_by_name(object, name) else { return nil }
        return bpf_map__fd(found)
    }
}
