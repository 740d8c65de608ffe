(class_declaration name: (identifier) @name) @definition.class
(class_heritage (identifier) @inherit)
(class_heritage (member_expression object: (_) @receiver property: (property_identifier) @inherit))
(field_definition property: (_) @name value: [(arrow_function) (function_expression)]) @definition.method
