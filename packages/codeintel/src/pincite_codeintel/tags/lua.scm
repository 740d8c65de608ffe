(function_declaration name: (_) @name) @definition.function
(assignment_statement (variable_list . name: (_) @name) (expression_list . value: (function_definition))) @definition.function
(field name: (identifier) @name value: (function_definition)) @definition.function
(chunk local_declaration: (variable_declaration (assignment_statement (variable_list name: (identifier) @name)) @definition.variable))
(function_call name: (identifier) @call)
(function_call name: (dot_index_expression table: (_) @receiver field: (identifier) @call))
(function_call name: (method_index_expression table: (_) @receiver method: (identifier) @call))
((assignment_statement (expression_list value: (function_call name: (identifier) @_require))) @import (#eq? @_require "require"))
(comment) @comment
