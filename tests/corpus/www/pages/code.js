document.write("<body>");
`
<body>
`;
