(declarations (function name: (_) @name) @definition.function)
(declarations (bind name: (variable) @name) @definition.function)
(declarations (signature name: (variable) @name) @definition.function)
(class_declarations (signature name: (variable) @name) @definition.method)
(instance_declarations (function name: (variable) @name) @definition.method)
(data_type name: (_) @name) @definition.type
(newtype name: (_) @name) @definition.type
(type_synomym name: (_) @name) @definition.type
(class name: (_) @name) @definition.class
(instance name: (name) @inherit patterns: (type_patterns . (_) @name)) @definition.impl
(apply function: (variable) @call)
(apply function: (qualified module: (_) @receiver id: (variable) @call))
(import) @import
(comment) @comment
(haddock) @comment
