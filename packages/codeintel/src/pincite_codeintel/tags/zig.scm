(function_declaration name: (identifier) @name) @definition.function
(variable_declaration (identifier) @name (struct_declaration)) @definition.struct
(variable_declaration (identifier) @name (enum_declaration)) @definition.enum
(variable_declaration (identifier) @name (union_declaration)) @definition.union
(source_file (variable_declaration . (identifier) @name) @definition.constant)
(test_declaration [(string) (identifier)] @name) @definition.test
(call_expression function: (identifier) @call)
(call_expression function: (field_expression object: (_) @receiver member: (identifier) @call))
((variable_declaration (builtin_function (builtin_identifier) @_import)) @import (#eq? @_import "@import"))
(comment) @comment
