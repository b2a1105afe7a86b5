/// Whose machine or container an actor is in.
extension ECSEncoder {
    /// `,"tenant":{...}`, in `hypervigil` before its `process`; nothing where nothing is known.
    func tenant(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        guard let tenant = facts.pointee.tenant else {
            if facts.pointee.isTenantKnown { cursor.put(",\"tenant\":{\"kind\":\"host\"}") }
            return
        }
        tenant._withUnsafeGuaranteedRef { tenant in
            cursor.put(",\"tenant\":{\"kind\":\"")
            put(tenant.kind.rawValue, &cursor)
            cursor.put("\",\"engine\":\"")
            put(tenant.engine, &cursor)
            cursor.put("\",\"role\":\"")
            put(tenant.role.rawValue, &cursor)
            cursor.put("\",\"id\":\"")
            put(tenant.id, &cursor)
            member("\",\"name\":\"", tenant.name, &cursor)
            cursor.put(tenant.isClaimed ? "\",\"claimed\":true}" : "\"}")
        }
    }

    /// `,"container":{...}` at the top level, where it is one (ECS).
    func container(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        guard let tenant = facts.pointee.tenant else { return }
        tenant._withUnsafeGuaranteedRef { tenant in
            guard tenant.kind == .container else { return }
            cursor.put(",\"container\":{\"id\":\"")
            put(tenant.id, &cursor)
            member("\",\"name\":\"", tenant.name, &cursor)
            member("\",\"runtime\":\"", tenant.runtime.isEmpty ? tenant.engine : tenant.runtime, &cursor)
            if tenant.image.isEmpty {
                cursor.put("\"}")
            } else {
                cursor.put("\",\"image\":{\"name\":\"")
                put(tenant.image, &cursor)
                cursor.put("\"}}")
            }
        }
    }

    private func member(_ key: StaticString, _ text: String, _ cursor: inout Cursor) {
        guard !text.isEmpty else { return }
        cursor.copy(key.utf8Start, key.utf8CodeUnitCount)
        put(text, &cursor)
    }

    /// The inside of a JSON string.
    private func put(_ text: String, _ cursor: inout Cursor) {
        var text = text
        text.withUTF8 { bytes in
            guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
            cursor.position = JSONString.write(UnsafeRawPointer(start), bytes.count, to: cursor.position).end
        }
    }
}
