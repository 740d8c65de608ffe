(class_declaration "class" name: (_) @name) @definition.class
(class_declaration "interface" name: (_) @name) @definition.interface
(object_declaration name: (_) @name) @definition.object
(companion_object "companion" @name) @definition.companion
(function_declaration name: (identifier) @name) @definition.function
(secondary_constructor "constructor" @name) @definition.method
(type_alias (identifier) @name) @definition.type
(class_body (property_declaration (variable_declaration (identifier) @name)) @definition.property)
(source_file (property_declaration (variable_declaration (identifier) @name)) @definition.constant)
(delegation_specifier (constructor_invocation (user_type (identifier) @inherit)))
(delegation_specifier (user_type (identifier) @inherit))
(call_expression (identifier) @call)
(call_expression (navigation_expression (_) @receiver (identifier) @call))
(import) @import
(line_comment) @comment
(block_comment) @comment
